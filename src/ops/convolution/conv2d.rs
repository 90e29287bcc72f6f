//! Two-dimensional convolution.

use candle_core::{DType, Tensor};

use super::checks::{at_least_one, check_bias, check_dtypes, not_huge, with_bias};
use super::geometry::Geometry;
use super::layer::Layer;
use crate::error::{Error, Result};
use crate::ops::activation::relu;
use crate::ops::dtype::{is_fused, widened};

/// The geometry of a convolution, the same in both directions.
///
/// ```text
/// output size = ⌊(input size + 2·padding − dilation·(kernel size − 1) − 1) / stride⌋ + 1
/// ```
///
/// - **Shapes**: numbers.
/// - **Range**: `stride`, `dilation` and `groups` from 1 to 65,536, `padding` from 0 to 65,536.
/// - **Source**: the definition, as PyTorch's `Conv2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dParams {
    /// The step of the kernel in pixels, at least 1. Default 1.
    pub stride: usize,
    /// The rows and columns of zeros on each side of the image. Default 0.
    pub padding: usize,
    /// The distance in pixels between neighbouring kernel elements, at least 1. Default 1.
    pub dilation: usize,
    /// The number of groups that the channels fall into, each convolved on its own; at least 1.
    /// Default 1.
    pub groups: usize,
}

impl Default for Conv2dParams {
    fn default() -> Self {
        Self {
            stride: 1,
            padding: 0,
            dilation: 1,
            groups: 1,
        }
    }
}

/// The two-dimensional convolution of images; differentiable in images, weight and bias.
///
/// ```text
/// y[n, o, i, j] = bias[o] + Σ_{c, a, b} weight[o, c, a, b] · x[n, c, row(i, a), column(j, b)]
/// row(i, a) = i·stride + a·dilation − padding,  column(j, b) likewise
/// ```
///
/// x is 0 outside the image; c runs over the channels of o's group. Like every network library we
/// do not flip the kernel, so this is a cross-correlation. On a CPU in f32 or f64 a kernel of its
/// own, which gives the same numbers whatever the number of threads and computes gradients only for
/// arguments that need one; elsewhere [`conv2d_composite`]. There, 3×3 with stride 1, at least 16
/// channels on both sides and at most 65,536 pairs of them is computed by Winograd's minimal
/// filtering: a number of `x` that is not finite then reaches up to 64 pixels of `y` instead of 9.
///
/// - **Shapes**: `x` (N, C, H, W), `weight` (O, C / groups, kernel height, kernel width), `bias`
///   (O,), of one dtype; the result is (N, O, H', W'), sizes by [`Conv2dParams`]. N may be 0.
/// - **Range**: any number.
/// - **Source**: the definition, as PyTorch's `conv2d`; Lavin & Gray 2016 (arXiv 1509.09308), section
///   4, for minimal filtering.
///
/// # Errors
/// Parameters that are 0 or over 65,536, shapes or dtypes that do not fit, a kernel that is empty
/// or larger than the padded image.
///
/// # Examples
/// ```
/// use isopath::{ops, prelude::*};
///
/// let device = device::best();
/// let image = Tensor::new(&[[[[1f32, 2., 3.], [4., 5., 6.]]]], &device)?;
/// // The difference of neighbours in a row.
/// let weight = Tensor::new(&[[[[-1f32, 1.]]]], &device)?;
/// let y = ops::conv2d(&image, &weight, None, &ops::Conv2dParams::default())?;
/// assert_eq!(y.dims(), [1, 1, 2, 2]);
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1.; 4]);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    params: &Conv2dParams,
) -> Result<Tensor> {
    either(x, weight, bias, params, false)
}

/// The convolution [`conv2d`] and a ReLU, without a second pass over the memory.
///
/// ```text
/// y = max(conv2d(x, weight, bias), 0)
/// ```
///
/// Differentiable in images, weight and bias; the derivative of the ReLU at 0 is 0.
///
/// - **Shapes**: as [`conv2d`].
/// - **Range**: ≥ 0.
/// - **Source**: the definition; one operation for both is ours.
///
/// # Errors
/// As [`conv2d`].
pub fn conv2d_relu(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    params: &Conv2dParams,
) -> Result<Tensor> {
    either(x, weight, bias, params, true)
}

fn either(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    params: &Conv2dParams,
    relu: bool,
) -> Result<Tensor> {
    if is_fused(x) {
        let shape = geometry(x.dims(), x.dtype(), weight, bias, params)?;
        Ok(Layer {
            shape,
            transposed: false,
            relu,
        }
        .apply(x, weight, bias)?)
    } else if relu {
        conv2d_relu_composite(x, weight, bias, params)
    } else {
        conv2d_composite(x, weight, bias, params)
    }
}

/// The function [`conv2d`] in plain candle operations, for every device.
///
/// # Errors
/// As [`conv2d`].
pub fn conv2d_composite(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    params: &Conv2dParams,
) -> Result<Tensor> {
    let shape = geometry(x.dims(), x.dtype(), weight, bias, params)?;
    let (dtype, x, weight) = (x.dtype(), widened("x", x)?, widened("weight", weight)?);
    let &Conv2dParams {
        stride,
        padding,
        dilation,
        groups,
    } = params;
    // Candle's gradient takes what is left over at the lower edge for what is left over at the
    // right one: leave nothing.
    let mut used = x.clone();
    for axis in [0, 1] {
        let size = (shape.output[axis] - 1) * stride + dilation * (shape.kernel[axis] - 1) + 1;
        used = used
            .pad_with_zeros(axis + 2, padding, padding)?
            .narrow(axis + 2, 0, size)?;
    }
    let y = if shape.images == 0 {
        let (channels, [height, width]) = (groups * shape.outputs, shape.output);
        Tensor::zeros((0, channels, height, width), x.dtype(), x.device())?
    } else {
        used.conv2d(&weight, 0, stride, dilation, groups)?
    };
    Ok(with_bias(y, bias)?.to_dtype(dtype)?)
}

/// The function [`conv2d_relu`] in plain candle operations, for every device.
///
/// # Errors
/// As [`conv2d`].
pub fn conv2d_relu_composite(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    params: &Conv2dParams,
) -> Result<Tensor> {
    Ok(relu(&conv2d_composite(x, weight, bias, params)?)?)
}

/// The sizes of a convolution of images of shape `x`, in `dtype`.
///
/// # Errors
/// As [`conv2d`].
pub(in crate::ops) fn geometry(
    x: &[usize],
    dtype: DType,
    weight: &Tensor,
    bias: Option<&Tensor>,
    params: &Conv2dParams,
) -> Result<Geometry> {
    const NAME: &str = "conv2d";
    let &Conv2dParams {
        stride,
        padding,
        dilation,
        groups,
    } = params;
    at_least_one(&[
        ("stride", stride),
        ("dilation", dilation),
        ("groups", groups),
    ])?;
    not_huge(&[("padding", padding)])?;
    let &[channels_out, inputs, kernel_height, kernel_width] = weight.dims() else {
        return Err(Error::shape(
            NAME,
            "weight",
            "(O, C / groups, kernel height, kernel width)",
            weight.dims(),
        ));
    };
    if weight.elem_count() == 0 || !channels_out.is_multiple_of(groups) {
        let expected = format!("at least one number, and outputs in {groups} equal groups");
        return Err(Error::shape(NAME, "weight", expected, weight.dims()));
    }
    let fits = |dims: &[usize]| dims.len() == 4 && dims[1] == inputs * groups;
    if !fits(x) {
        let expected = format!(
            "(N, {}, H, W) for weight {:?}, groups {groups}",
            inputs * groups,
            weight.dims()
        );
        return Err(Error::shape(NAME, "x", expected, x));
    }
    check_bias(NAME, bias, channels_out)?;
    check_dtypes(dtype, weight, bias)?;
    let kernel = [kernel_height, kernel_width];
    let input = [x[2], x[3]];
    let mut output = [0; 2];
    for axis in [0, 1] {
        let span = dilation.saturating_mul(kernel[axis] - 1).saturating_add(1);
        let Some(room) = padding
            .saturating_mul(2)
            .saturating_add(input[axis])
            .checked_sub(span)
        else {
            let expected = format!(
                "a padded image that holds the kernel of weight {:?}, {params:?}",
                weight.dims()
            );
            return Err(Error::shape(NAME, "x", expected, x));
        };
        output[axis] = room / stride + 1;
    }
    let outputs = channels_out / groups;
    Ok(Geometry {
        images: x[0],
        groups,
        inputs,
        outputs,
        input,
        output,
        kernel,
        stride: [stride; 2],
        padding: [padding; 2],
        dilation,
    })
}
