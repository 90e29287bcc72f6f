//! A network from a representation on, as layers that are known to be piecewise linear.

use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::program::Program;
use crate::checks::finite;
use crate::error::{Error, Result};
use crate::models::{Layer, Network, Representation, evaluation};

/// A network whose stages from a representation on are known to be piecewise linear, as it is now.
///
/// ```text
/// f_{l:L} = layer_K ∘ … ∘ layer_1,   each affine, a ReLU, a sum, or a largest number
/// ```
///
/// - **Shapes**: points (1, …) of the representation.
/// - **Range**: weights as the network has them, computed with in f64.
/// - **Source**: [`Network::layers`].
///
/// ```
/// use isopath::paths::PiecewiseLinear;
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[2, 8, 3], Activation::Relu, vb))?;
/// assert!(PiecewiseLinear::new(&network, Representation::Input).is_ok());
/// let smooth = Model::new(0, |vb| Mlp::new(&[2, 8, 3], Activation::Tanh, vb))?;
/// assert!(PiecewiseLinear::new(&smooth, Representation::Input).is_err());
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone)]
pub struct PiecewiseLinear {
    network: Arc<dyn Network>,
    index: usize,
    /// The layers of each stage from `index` on.
    stages: Vec<Vec<Layer>>,
}

impl fmt::Debug for PiecewiseLinear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers: Vec<usize> = self.stages.iter().map(Vec::len).collect();
        f.debug_struct("PiecewiseLinear")
            .field("index", &self.index)
            .field("layers", &layers)
            .finish_non_exhaustive()
    }
}

/// What the logits of the layers may differ from the network's own, relative to the largest.
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-9,
        DType::F32 => 1e-3,
        _ => 0.1,
    }
}

impl PiecewiseLinear {
    /// The stages of `network` after `representation`, in evaluation mode.
    ///
    /// # Errors
    /// The network has no such representation, no evaluation mode, or a stage whose layers are not
    /// known, such as one with tanh.
    pub fn new(network: &dyn Network, representation: Representation) -> Result<Self> {
        let index = representation.index(network.stages())?;
        let network = evaluation(network)?;
        let stages = (index..network.stages()).map(|stage| {
            let layers = network.layers(stage)?;
            let known = layers.filter(|layers| layers.iter().all(Layer::is_piecewise_linear));
            known.ok_or_else(|| {
                let expected = "stages that say their layers (Network::layers), as those of a \
                                network with ReLU; for any other network bounds serve instead";
                let got = format!("not known to be piecewise linear in stage {stage}");
                Error::argument("network", expected, got)
            })
        });
        let stages = stages.collect::<Result<_>>()?;
        Ok(Self {
            network,
            index,
            stages,
        })
    }

    /// The layers, made ready for points of the shape of `point` (1, …).
    pub(super) fn program(&self, point: &Tensor) -> Result<Program> {
        match point.dims() {
            [1, dims @ ..] if point.elem_count() > 0 && point.dtype().is_float() => {
                Program::new(self.index, &self.stages, dims)
            }
            dims => {
                let expected =
                    "(1, …), one point of floating-point numbers (unsqueeze(0) adds the 1)";
                Err(Error::shape("exact", "start", expected, dims))
            }
        }
    }

    /// The number of stages of the whole network.
    pub(super) fn stages(&self) -> usize {
        self.network.stages()
    }

    /// The ends as the program takes them.
    ///
    /// # Errors
    /// Ends of different shapes, not finite, or on which the layers are not what the network computes.
    pub(super) fn ends(
        &self,
        program: &Program,
        start: &Tensor,
        end: &Tensor,
    ) -> Result<[Vec<f64>; 2]> {
        if start.dims() != end.dims() {
            let expected = format!("{:?}, that of start", start.dims());
            return Err(Error::shape("exact", "end", expected, end.dims()));
        }
        let laid = |name, point: &Tensor| -> Result<Vec<f64>> {
            finite(name, "numbers", point)?;
            let point = point.detach();
            let laid = program.laid(&numbers(&point)?);
            let own = program.logits(&laid, 1);
            // The line may be on a GPU, the network elsewhere.
            let mut layers = self.stages.iter().flatten();
            let device = layers.find_map(|layer| Some(layer.weight()?.device().clone()));
            let point = point.to_device(&device.unwrap_or(Device::Cpu))?;
            let logits = numbers(&self.network.forward_from(self.index, &point)?)?;
            agree(&own, &logits, tolerance(point.dtype()))?;
            Ok(laid)
        };
        Ok([laid("start", start)?, laid("end", end)?])
    }
}

/// # Errors
/// The logits of the layers are not those of the network.
fn agree(own: &[f64], logits: &[f64], tolerance: f64) -> Result<()> {
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0., f64::max);
    let size = largest(&mut logits.iter().map(|logit| logit.abs()));
    let apart = largest(
        &mut own
            .iter()
            .zip(logits)
            .map(|(own, logit)| (own - logit).abs()),
    );
    if own.len() == logits.len() && apart <= tolerance * size.max(f64::MIN_POSITIVE) {
        return Ok(());
    }
    let got = match own.len() == logits.len() {
        true => format!("others: logits up to {size:.3e} differ by {apart:.3e}"),
        false => format!("others: {} logits, not {}", own.len(), logits.len()),
    };
    let expected = "what the stages compute, in evaluation mode (Network::layers)";
    Err(Error::argument("layers", expected, got))
}

/// The numbers of a tensor, row by row.
pub(in crate::paths) fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    let host = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    Ok(host.flatten_all()?.to_vec1()?)
}
