//! A fully connected network as affine maps with an activation between each two.

use candle_core::{DType, Device, Tensor};

use super::rounding::{Arithmetic, LEAST, own_gamma, up};
use crate::checks::finite;
use crate::distances::slices::norm;
use crate::error::{Error, Result};
use crate::models::{Layer, Network};
use crate::ops::product;

/// What stands between two affine maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Activation {
    Identity,
    Relu,
    Tanh,
}

/// x·Wᵀ + b in f64.
pub(super) struct Affine {
    /// W (outputs, inputs).
    pub weight: Tensor,
    /// Wᵀ and |W|ᵀ (inputs, outputs).
    turned: Tensor,
    sizes_turned: Tensor,
    pub bias: Vec<f64>,
    /// ‖W_i‖₂, from above.
    row_norms: Vec<f64>,
    pub inputs: usize,
    pub outputs: usize,
    /// What the network's rounding, and that of the bounds, may do to a sum, relative to the sizes of
    /// its terms; and what it may lose by underflow.
    gamma: f64,
    lost: f64,
    safe: f64,
}

impl Affine {
    fn new(weight: &Tensor, bias: Option<&Tensor>, at: usize) -> Result<Self> {
        let arithmetic = Arithmetic::of(weight.dtype())?;
        finite("weight", "numbers", weight)?;
        let host = |t: &Tensor| t.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64);
        let weight = host(weight)?.contiguous()?;
        let (outputs, inputs) = weight.dims2()?;
        let bias = match bias {
            Some(bias) => {
                finite("bias", "numbers", bias)?;
                host(bias)?.to_vec1()?
            }
            None => vec![0.; outputs],
        };
        if bias.len() != outputs || inputs == 0 || outputs == 0 {
            let expected = format!("({outputs},), none of them 0");
            return Err(Error::shape("certify", "bias", expected, &[bias.len()]));
        }
        let rows = weight.to_vec2::<f64>()?;
        let size = 1. + own_gamma(inputs);
        // Where the inputs are the points, they are rounded, too, and perhaps normalised.
        let extra = if at == 0 { FIRST } else { 1 };
        let weights: f64 = rows.iter().flatten().map(|w| w.abs()).fold(0., f64::max);
        Ok(Self {
            row_norms: rows
                .iter()
                .map(|row| up(norm(row) * size) + LEAST)
                .collect(),
            turned: weight.t()?.contiguous()?,
            sizes_turned: weight.abs()?.t()?.contiguous()?,
            bias,
            inputs,
            outputs,
            gamma: arithmetic.gamma(inputs + extra),
            lost: up(8. * inputs as f64 * arithmetic.tiny * (1. + weights)),
            safe: arithmetic.safe,
            weight,
        })
    }

    /// Rows·Wᵀ, without the bias.
    pub fn map(&self, rows: &[f64]) -> Result<Vec<f64>> {
        self.product(rows, &self.turned)
    }

    /// Rows·|W|ᵀ.
    pub fn map_sizes(&self, rows: &[f64]) -> Result<Vec<f64>> {
        self.product(rows, &self.sizes_turned)
    }

    fn product(&self, rows: &[f64], weight: &Tensor) -> Result<Vec<f64>> {
        let count = rows.len() / self.inputs;
        let rows = Tensor::from_slice(rows, (count, self.inputs), &Device::Cpu)?;
        Ok(product(&rows, weight)?.flatten_all()?.to_vec1()?)
    }

    /// Coefficients of the outputs as those of the inputs: rows·W.
    pub fn back(&self, rows: &[f64]) -> Result<Vec<f64>> {
        let count = rows.len() / self.outputs;
        let rows = Tensor::from_slice(rows, (count, self.outputs), &Device::Cpu)?;
        Ok(product(&rows, &self.weight)?.flatten_all()?.to_vec1()?)
    }

    /// How far output `at` may be from W_at·x + b_at, in the network's arithmetic and in ours, where
    /// Σ_j |W_at,j x_j| ≤ `size`; `own` allows for ours.
    #[inline(always)]
    pub fn rounding(&self, at: usize, size: f64, own: f64) -> f64 {
        let terms = size + self.bias[at].abs();
        let rounding = up((self.gamma + own) * terms + self.lost);
        if terms < self.safe {
            rounding
        } else {
            f64::INFINITY
        }
    }

    /// Σ_j |W_at,j x_j| by Cauchy and Schwarz, from ‖x‖₂.
    #[inline(always)]
    pub fn size(&self, at: usize, norm: f64) -> f64 {
        self.row_norms[at] * norm
    }
}

/// Roundings of a point before the first sum, beside that of the bias: four of the point, six of a
/// normalisation.
const FIRST: usize = 11;

/// A network from a representation on.
pub(super) struct Chain {
    /// The mean and the deviation of a normalisation of the points, a pair for each channel.
    normalisation: Option<Vec<[f64; 2]>>,
    pub affine: Vec<Affine>,
    /// After each affine map but the last.
    pub activations: Vec<Activation>,
    pub arithmetic: Arithmetic,
    pub dtype: DType,
    /// An allowance for the rounding of our own sums: all terms of a network together.
    pub own: f64,
}

impl Chain {
    /// The stages of `network` from `index` on.
    ///
    /// # Errors
    /// Layers that are not known, or no fully connected network; weights that are not finite numbers
    /// of one type, f32 or f64.
    pub fn new(network: &dyn Network, index: usize) -> Result<Self> {
        let (mut normalisation, mut dtype) = (None, None);
        let (mut affine, mut activations) = (Vec::<Affine>::new(), Vec::new());
        for stage in index..network.stages() {
            let layers = network
                .layers(stage)?
                .ok_or_else(|| unfit(stage, "unknown"))?;
            for (at, layer) in layers.iter().enumerate() {
                if layer.inputs() != [at] {
                    return Err(unfit(stage, "not one after the other"));
                }
                // An activation after each map but the last.
                let open = affine.len() > activations.len();
                match layer {
                    Layer::Flatten { .. } => {}
                    Layer::Normalise { mean, std, .. } if affine.is_empty() => {
                        normalisation = Some(channels(mean, std, normalisation.is_some())?);
                    }
                    Layer::Affine { weight, bias, .. } => {
                        if open {
                            activations.push(Activation::Identity);
                        }
                        let first = *dtype.get_or_insert(weight.dtype());
                        let other = bias.as_ref().map_or(first, Tensor::dtype);
                        if weight.dtype() != first || other != first {
                            let expected = format!("{} in all layers", first.as_str());
                            let got = weight.dtype().as_str();
                            return Err(Error::argument("dtype of weights", expected, got));
                        }
                        let next = Affine::new(weight, bias.as_ref(), affine.len())?;
                        check_inputs(affine.last(), &next)?;
                        affine.push(next);
                    }
                    Layer::Relu { .. } if open => activations.push(Activation::Relu),
                    Layer::Tanh { .. } if open => activations.push(Activation::Tanh),
                    Layer::Relu { .. } | Layer::Tanh { .. } => {
                        return Err(unfit(stage, "an activation that follows no affine map"));
                    }
                    _ => return Err(unfit(stage, "others")),
                }
            }
        }
        let last = network.stages().saturating_sub(1);
        let dtype = dtype.ok_or_else(|| unfit(last, "without an affine map"))?;
        if activations.len() == affine.len() {
            return Err(unfit(last, "with an activation after the last affine map"));
        }
        let terms: usize = affine.iter().map(|map| map.inputs + map.outputs).sum();
        Ok(Self {
            normalisation,
            affine,
            activations,
            arithmetic: Arithmetic::of(dtype)?,
            dtype,
            own: own_gamma(terms + 64),
        })
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.affine.last().map_or(0, |map| map.outputs)
    }

    /// The points as the first affine map reads them, row by row, and bounds of the sizes of the terms
    /// that they are made of.
    ///
    /// # Errors
    /// Points of another size.
    pub fn points(&self, points: &[f64], count: usize) -> Result<[Vec<f64>; 2]> {
        let inputs = self.affine[0].inputs;
        if points.len() != count * inputs {
            let expected = format!("(N, …) of {inputs} numbers each");
            let dims = [count, points.len() / count.max(1)];
            return Err(Error::shape("certify", "points", expected, &dims));
        }
        let Some(channels) = &self.normalisation else {
            return Ok([points.to_vec(), points.iter().map(|x| x.abs()).collect()]);
        };
        if !inputs.is_multiple_of(channels.len()) {
            let expected = format!("a multiple of the {} channels", channels.len());
            return Err(Error::argument("numbers of a point", expected, inputs));
        }
        let area = inputs / channels.len();
        let of = |at: usize| channels[at % inputs / area];
        let map = |(at, x): (usize, &f64)| {
            let [mean, std] = of(at);
            ((x - mean) / std, up((x.abs() + mean.abs()) / std))
        };
        let (points, sizes) = points.iter().enumerate().map(map).unzip();
        Ok([points, sizes])
    }
}

/// # Errors
/// A map that does not read what the one before gives.
fn check_inputs(before: Option<&Affine>, next: &Affine) -> Result<()> {
    match before {
        Some(before) if before.outputs != next.inputs => {
            let expected = format!("(outputs, {})", before.outputs);
            let dims = next.weight.dims();
            Err(Error::shape("certify", "weight", expected, dims))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// A second normalisation, or numbers that are none of one.
fn channels(mean: &[f64], std: &[f64], twice: bool) -> Result<Vec<[f64; 2]>> {
    let pairs = mean.iter().zip(std).map(|(mean, std)| [*mean, *std]);
    let pairs: Vec<[f64; 2]> = pairs.collect();
    let right = |[mean, std]: &[f64; 2]| mean.is_finite() && *std > 0. && std.is_finite();
    if twice || mean.len() != std.len() || pairs.is_empty() || !pairs.iter().all(right) {
        let expected = "one, of finite means and as many finite deviations > 0";
        let got = format!("means {mean:?} and deviations {std:?}");
        return Err(Error::argument("normalisation", expected, got));
    }
    Ok(pairs)
}

fn unfit(stage: usize, what: &str) -> Error {
    let expected = "affine maps, the last of all without an activation, and between each two tanh or \
                    ReLU, as in Mlp; for other networks with ReLU there is exact, for all others \
                    lipschitz_certify with a bound of one's own, or samples";
    Error::argument("layers", expected, format!("{what} in stage {stage}"))
}
