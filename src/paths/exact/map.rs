//! The steps of a program as operations on tensors.

use candle_core::{DType, Device, Tensor};

use super::kernel::Kernel;
use super::program::Program;
use crate::error::Result;
use crate::models::Layer;
use crate::ops::{Patches, Pixels, add_to_rows};

/// What a step computes, on the device.
pub(super) enum Map {
    /// A convolution or an affine map: the weight (kernel · channels, outputs) and the bias (outputs,).
    Product {
        patches: Option<Patches>,
        weight: Tensor,
        bias: Tensor,
    },
    /// A weighted sum of pixels for each pixel of the result, (pixels of the result, pixels).
    Pixels(Tensor),
    /// Mean and deviation of each number of a point.
    Normalise {
        mean: Tensor,
        std: Tensor,
    },
    Sum,
    Flatten,
    Relu,
}

impl Map {
    /// That of a step; none if there is none for it.
    pub fn of(program: &Program, number: usize, device: &Device) -> Result<Option<Self>> {
        let step = &program.steps[number];
        let [from, to] = [step.input, number + 1].map(|at| &program.shapes[at]);
        let on_device = |tensor: &Tensor| -> Result<Tensor> {
            let tensor = tensor.detach().to_device(device)?.to_dtype(DType::F64)?;
            Ok(tensor.contiguous()?)
        };
        let bias_of = |bias: &Option<Tensor>| match bias {
            Some(bias) => on_device(bias),
            None => Ok(Tensor::zeros(to.pixels.channels, DType::F64, device)?),
        };
        Ok(Some(match (&step.layer, &step.kernel) {
            (Layer::Affine { weight, bias, .. }, _) => Self::Product {
                patches: None,
                weight: on_device(&weight.t()?)?,
                bias: bias_of(bias)?,
            },
            (
                Layer::Convolution {
                    weight, bias, conv, ..
                },
                _,
            ) => {
                let (outputs, channels, height, width) = weight.dims4()?;
                let (&[_, rows, columns], &[_, own_rows, own_columns]) =
                    (&from.dims[..], &to.dims[..])
                else {
                    return Ok(None);
                };
                let patches = Patches {
                    input: [channels * conv.groups, rows, columns],
                    output: [own_rows, own_columns],
                    kernel: [height, width],
                    conv: *conv,
                };
                let weight = ungrouped(weight, conv.groups)?.permute((2, 3, 1, 0))?;
                Self::Product {
                    weight: on_device(&weight.reshape((patches.columns(), outputs))?)?,
                    patches: (!patches.are_pixels()).then_some(patches),
                    bias: bias_of(bias)?,
                }
            }
            (_, Kernel::Means(means)) => {
                // What each pixel alone becomes.
                let one = |area| Pixels { area, channels: 1 };
                let (input, result) = (one(from.pixels.area), one(to.pixels.area));
                let mut columns = Vec::new();
                for pixel in 0..input.area {
                    let mut image = vec![0.; input.image()];
                    image[input.start(pixel)] = 1.;
                    let mut means_of = vec![0.; result.image()];
                    means.run(input, &image, &mut means_of);
                    columns.extend((0..result.area).map(|at| means_of[result.start(at)]));
                }
                let shape = (input.area, result.area);
                Self::Pixels(on_device(
                    &Tensor::from_vec(columns, shape, &Device::Cpu)?.t()?,
                )?)
            }
            (_, Kernel::Normalise { mean, std }) => {
                let of = |laid: &[f64]| -> Result<Tensor> {
                    let (pixels, channels) = (from.pixels, from.pixels.channels);
                    let numbers =
                        (0..pixels.area).flat_map(|at| &laid[pixels.start(at)..][..channels]);
                    let numbers: Vec<f64> = numbers.copied().collect();
                    on_device(&Tensor::new(numbers, &Device::Cpu)?)
                };
                Self::Normalise {
                    mean: of(mean)?,
                    std: of(std)?,
                }
            }
            (_, Kernel::Sum) => Self::Sum,
            (_, Kernel::Flatten) => Self::Flatten,
            (_, Kernel::Relu) => Self::Relu,
            (_, Kernel::Largest(_) | Kernel::Convolution(_)) => return Ok(None),
        }))
    }

    /// The result (points, numbers), of images `from`, whose numbers lie pixel by pixel, as images `to`;
    /// `other` is added.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn run(
        &self,
        input: &Tensor,
        other: Option<&Tensor>,
        [from, to]: [Pixels; 2],
    ) -> Result<Tensor> {
        let points = input.dim(0)?;
        Ok(match self {
            Map::Product {
                patches,
                weight,
                bias,
            } => {
                let rows = match patches {
                    Some(patches) => patches.of(input)?,
                    None => input.reshape((points * from.area, from.channels))?,
                };
                let rows = rows.matmul(weight)?;
                add_to_rows(&rows, bias, other)?;
                rows.reshape((points, to.count()))?
            }
            Map::Pixels(weights) => {
                let images = input.reshape((points, from.area, from.channels))?;
                let weights = weights.broadcast_left(points)?.contiguous()?;
                weights.matmul(&images)?.flatten_from(1)?
            }
            Map::Normalise { mean, std } => input.broadcast_sub(mean)?.broadcast_div(std)?,
            Map::Sum => (input + other.unwrap_or(input))?,
            Map::Flatten => {
                let images = input.reshape((points, from.area, from.channels))?;
                images.transpose(1, 2)?.contiguous()?.flatten_from(1)?
            }
            Map::Relu => input.relu()?,
        })
    }

    /// Numbers of a point in the largest tensor that it makes, for a result `to`.
    pub fn numbers(&self, to: Pixels) -> usize {
        let of_patches = match self {
            Self::Product {
                patches: Some(patches),
                ..
            } => patches.numbers(),
            _ => 0,
        };
        of_patches.max(to.count())
    }
}

/// The weight of a convolution in groups, (outputs, channels / groups, …), as that of one without: 0
/// for the channels of other groups.
fn ungrouped(weight: &Tensor, groups: usize) -> Result<Tensor> {
    if groups == 1 {
        return Ok(weight.clone());
    }
    let (outputs, channels, ..) = weight.dims4()?;
    let own = outputs / groups;
    let all = (0..groups).map(|group| {
        let weight = weight.narrow(0, group * own, own)?;
        let (before, after) = (group * channels, (groups - 1 - group) * channels);
        weight.pad_with_zeros(1, before, after)
    });
    Ok(Tensor::cat(
        &all.collect::<candle_core::Result<Vec<_>>>()?,
        0,
    )?)
}
