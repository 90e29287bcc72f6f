//! What one step of a network computes, and the shapes of its argument and result.

use crate::error::{Error, Result};
use crate::models::Layer;
use crate::ops::{LaidConvolution, Means, Pixels, Rows, Windows};

/// What a step computes.
pub(super) enum Kernel {
    /// Affine maps, too: a vector is an image of one pixel.
    Convolution(Box<LaidConvolution>),
    Means(Means),
    Normalise {
        mean: Vec<f64>,
        std: Vec<f64>,
    },
    Sum,
    Flatten,
    Relu,
    Largest(Windows),
}

impl Kernel {
    /// Whether the step is linear on each side of its breakpoints only.
    pub fn has_breakpoints(&self) -> bool {
        matches!(self, Self::Relu | Self::Largest(_))
    }

    /// That of `layer` on points of `shape`, with the dimensions of a point's result; none if that is
    /// the argument itself.
    ///
    /// # Errors
    /// A shape that does not fit.
    pub fn of(layer: &Layer, shape: &Shape) -> Result<Option<(Self, Vec<usize>)>> {
        let (kernel, dims) = match layer {
            Layer::Affine { weight, bias, .. } => {
                let [inputs] = shape.dims[..] else {
                    let expected = "(N, I) for an affine map; Layer::Flatten makes it so";
                    return Err(Error::shape(
                        "exact",
                        "input of a layer",
                        expected,
                        &shape.dims,
                    ));
                };
                let (outputs, columns) = weight.dims2()?;
                let weight = weight.reshape((outputs, columns, 1, 1))?;
                let one = Default::default();
                let map = LaidConvolution::new([inputs, 1, 1], &weight, bias.as_ref(), &one)?;
                (Kernel::Convolution(map.into()), vec![outputs])
            }
            Layer::Convolution {
                weight, bias, conv, ..
            } => {
                let image = shape.image("a convolution")?;
                let map = LaidConvolution::new(image, weight, bias.as_ref(), conv)?;
                let [height, width] = map.output();
                let dims = vec![map.result().channels, height, width];
                (Kernel::Convolution(map.into()), dims)
            }
            Layer::Normalise { mean, std, .. } => {
                let [mean, std] = normalisation(shape, mean, std)?;
                (Kernel::Normalise { mean, std }, shape.dims.clone())
            }
            Layer::Relu { .. } => (Kernel::Relu, shape.dims.clone()),
            Layer::Tanh { .. } => {
                let expected = "piecewise linear; for tanh there is certify";
                return Err(Error::argument("layer", expected, "tanh"));
            }
            Layer::Sum { .. } => (Kernel::Sum, shape.dims.clone()),
            Layer::AveragePool { kernel, stride, .. } => {
                let [channels, height, width] = shape.image("a pooling")?;
                let windows = Windows::new([height, width], *kernel, *stride, 0)?;
                let [height, width] = windows.output();
                let dims = vec![channels, height, width];
                (Kernel::Means(Means::of(&windows)), dims)
            }
            Layer::GlobalAveragePool { .. } => {
                let [channels, height, width] = shape.image("a pooling")?;
                (Kernel::Means(Means::of_all(height * width)), vec![channels])
            }
            Layer::MaxPool {
                kernel,
                stride,
                padding,
                ..
            } => {
                let [channels, height, width] = shape.image("a pooling")?;
                let windows = Windows::new([height, width], *kernel, *stride, *padding)?;
                let [height, width] = windows.output();
                (Kernel::Largest(windows), vec![channels, height, width])
            }
            Layer::Enlarge { side, .. } => {
                let [channels, height, width] = shape.image("an enlargement")?;
                if height > *side || width > *side {
                    let expected = format!("at most {side} rows and columns");
                    return Err(Error::shape("exact", "images", expected, &shape.dims));
                }
                if height == *side && width == *side {
                    return Ok(None);
                }
                let means = Means::enlarging([height, width], *side);
                (Kernel::Means(means), vec![channels, *side, *side])
            }
            Layer::Flatten { .. } => {
                if shape.dims.len() == 1 {
                    return Ok(None);
                }
                (Kernel::Flatten, vec![shape.pixels.count()])
            }
        };
        Ok(Some((kernel, dims)))
    }
}

/// The shape of one point's result.
#[derive(Clone)]
pub(super) struct Shape {
    pub dims: Vec<usize>,
    pub pixels: Pixels,
}

impl Shape {
    pub fn of(dims: &[usize]) -> Self {
        let pixels = match *dims {
            [channels, height, width] => Pixels {
                channels,
                area: height * width,
            },
            _ => Pixels {
                channels: dims.iter().product(),
                area: 1,
            },
        };
        Self {
            dims: dims.to_vec(),
            pixels,
        }
    }

    /// Channels, height and width.
    fn image(&self, layer: &str) -> Result<[usize; 3]> {
        let unfit = |_| {
            let expected = format!("(N, C, H, W) for {layer}");
            Error::shape("exact", "input of a layer", expected, &self.dims)
        };
        <[usize; 3]>::try_from(self.dims.as_slice()).map_err(unfit)
    }
}

/// Mean and deviation of each number of a point, in its place.
fn normalisation(shape: &Shape, mean: &[f64], std: &[f64]) -> Result<[Vec<f64>; 2]> {
    let channels = shape.dims.first().copied().unwrap_or(1);
    let fits = [1, channels].contains(&mean.len()) && mean.len() == std.len();
    if !fits || !std.iter().all(|std| *std > 0. && std.is_finite()) {
        let expected = format!("1 or {channels} of each, deviations > 0");
        let got = format!("{mean:?} and {std:?}");
        return Err(Error::argument("means and deviations", expected, got));
    }
    let (rows, each) = (Rows::new()?, shape.pixels.count() / channels.max(1));
    let laid = |numbers: &[f64], outside: f64| {
        let planes: Vec<f64> = (0..shape.pixels.count())
            .map(|at| numbers[(at / each) % numbers.len()])
            .collect();
        let mut laid = vec![outside; shape.pixels.image()];
        rows.lay(shape.pixels, &planes, &mut laid);
        laid
    };
    Ok([laid(mean, 0.), laid(std, 1.)])
}
