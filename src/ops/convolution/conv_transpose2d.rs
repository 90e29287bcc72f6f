//! Two-dimensional transposed convolution, for decoders.

use candle_core::Tensor;

use super::checks::{at_least_one, check_bias, check_dtypes, not_huge, with_bias};
use super::geometry::Geometry;
use super::layer::Layer;
use crate::error::{Error, Result};
use crate::ops::dtype::{is_fused, widened};

/// The geometry of a transposed convolution, the same in both directions.
///
/// ```text
/// output size = (input size − 1)·stride − 2·padding + dilation·(kernel size − 1)
///               + output_padding + 1
/// ```
///
/// They are the places of that convolution whose input gradient the transposed one is.
///
/// - **Shapes**: numbers.
/// - **Range**: `stride`, `dilation` and `groups` from 1 to 65,536, `padding` from 0 to 65,536,
///   `output_padding` below `stride` or below `dilation`.
/// - **Source**: the definition, as PyTorch's `ConvTranspose2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose2dParams {
    /// The distance in the result, in pixels, between neighbouring pixels of `x`, at least 1.
    /// Default 1.
    pub stride: usize,
    /// The rows and columns cut off the result on each side. Default 0.
    pub padding: usize,
    /// The rows and columns that the result has more at the lower and the right edge, below stride
    /// or dilation. Default 0.
    pub output_padding: usize,
    /// The distance in pixels between neighbouring kernel elements, at least 1. Default 1.
    pub dilation: usize,
    /// The number of groups that the channels fall into, each convolved on its own; at least 1.
    /// Default 1.
    pub groups: usize,
}

impl Default for ConvTranspose2dParams {
    fn default() -> Self {
        Self {
            stride: 1,
            padding: 0,
            output_padding: 0,
            dilation: 1,
            groups: 1,
        }
    }
}

/// The transposed convolution of images, with which decoders enlarge; differentiable in all
/// tensors.
///
/// ```text
/// y[n, o, p, q] = bias[o] + Σ weight[c, o, a, b] · x[n, c, i, j]
/// over all c, i, j, a, b with p = i·stride + a·dilation − padding
///                             q = j·stride + b·dilation − padding
/// ```
///
/// c runs over the channels of o's group. It is the gradient of a [`conv2d`](crate::ops::conv2d())
/// in its images. On a CPU in f32 or f64 a kernel of its own, which gives the same numbers whatever
/// the number of threads and computes gradients only for arguments that need one; elsewhere
/// [`conv_transpose2d_composite`].
///
/// - **Shapes**: `x` (N, C, H, W), `weight` (C, O / groups, kernel height, kernel width), `bias`
///   (O,), of one dtype; the result is (N, O, H', W'), sizes by [`ConvTranspose2dParams`].
///   N may be 0.
/// - **Range**: any number.
/// - **Source**: the definition, as PyTorch's `conv_transpose2d`.
///
/// # Errors
/// Parameters that are 0 or over 65,536, an output padding that is too large, shapes or dtypes that
/// do not fit, an empty kernel or result.
pub fn conv_transpose2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    params: &ConvTranspose2dParams,
) -> Result<Tensor> {
    if !is_fused(x) {
        return conv_transpose2d_composite(x, weight, bias, params);
    }
    let shape = geometry(x, weight, bias, params)?;
    Ok(Layer {
        shape,
        transposed: true,
        relu: false,
    }
    .apply(x, weight, bias)?)
}

/// The function [`conv_transpose2d`] in plain candle operations, for every device.
///
/// # Errors
/// As [`conv_transpose2d`].
pub fn conv_transpose2d_composite(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    params: &ConvTranspose2dParams,
) -> Result<Tensor> {
    let shape = geometry(x, weight, bias, params)?;
    let &ConvTranspose2dParams {
        stride,
        padding,
        output_padding,
        dilation,
        groups,
    } = params;
    let (dtype, x, weight) = (x.dtype(), widened("x", x)?, widened("weight", weight)?);
    if shape.images == 0 {
        let (channels, [height, width]) = (groups * shape.inputs, shape.input);
        let none = Tensor::zeros((0, channels, height, width), x.dtype(), x.device())?;
        return Ok(with_bias(none, bias)?.to_dtype(dtype)?);
    }
    let (x, weight) = (x.chunk(groups, 1)?, weight.chunk(groups, 0)?);
    let groups = x.iter().zip(&weight).map(|(x, weight)| {
        // Contiguous, and with nothing at the edges, as candle's gradient wants it.
        x.contiguous()?
            .conv_transpose2d(&weight.contiguous()?, 0, 0, stride, dilation)
    });
    let mut y = Tensor::cat(&groups.collect::<candle_core::Result<Vec<_>>>()?, 1)?;
    for axis in [0, 1] {
        y = y.pad_with_zeros(axis + 2, 0, output_padding)?.narrow(
            axis + 2,
            padding,
            shape.input[axis],
        )?;
    }
    Ok(with_bias(y, bias)?.to_dtype(dtype)?)
}

/// The sizes of the convolution from the result to `x`.
fn geometry(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    params: &ConvTranspose2dParams,
) -> Result<Geometry> {
    const NAME: &str = "conv_transpose2d";
    let &ConvTranspose2dParams {
        stride,
        padding,
        output_padding,
        dilation,
        groups,
    } = params;
    at_least_one(&[
        ("stride", stride),
        ("dilation", dilation),
        ("groups", groups),
    ])?;
    not_huge(&[("padding", padding)])?;
    if output_padding >= stride.max(dilation) {
        let expected = format!("below stride {stride} or dilation {dilation}");
        return Err(Error::argument("output_padding", expected, output_padding));
    }
    let &[channels_in, channels_out, kernel_height, kernel_width] = weight.dims() else {
        return Err(Error::shape(
            NAME,
            "weight",
            "(C, O / groups, kernel height, kernel width)",
            weight.dims(),
        ));
    };
    if weight.elem_count() == 0 || !channels_in.is_multiple_of(groups) {
        let expected = format!("at least one number, and inputs in {groups} equal groups");
        return Err(Error::shape(NAME, "weight", expected, weight.dims()));
    }
    let &[images, channels, height, width] = x.dims() else {
        return Err(Error::shape(
            NAME,
            "x",
            format!("(N, {channels_in}, H, W)"),
            x.dims(),
        ));
    };
    if channels != channels_in || height * width == 0 {
        let expected = format!(
            "(N, {channels_in}, H, W) for weight {:?}, H and W at least 1",
            weight.dims()
        );
        return Err(Error::shape(NAME, "x", expected, x.dims()));
    }
    check_bias(NAME, bias, channels_out * groups)?;
    check_dtypes(x.dtype(), weight, bias)?;
    let (output, kernel) = ([height, width], [kernel_height, kernel_width]);
    let mut input = [0; 2];
    for axis in [0, 1] {
        let full = (output[axis] - 1) * stride + dilation * (kernel[axis] - 1) + output_padding + 1;
        match full.checked_sub(padding.saturating_mul(2)) {
            Some(size) if size > 0 => input[axis] = size,
            _ => {
                let expected = format!(
                    "a result larger than its padding with weight {:?}, {params:?}",
                    weight.dims()
                );
                return Err(Error::shape(NAME, "x", expected, x.dims()));
            }
        }
    }
    let (inputs, outputs) = (channels_out, channels_in / groups);
    Ok(Geometry {
        images,
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
