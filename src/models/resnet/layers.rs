//! The convolutions and normalisations of a residual network, stage by stage.

use candle_core::Tensor;
use candle_nn::init::{FanInOut, NonLinearity, NormalOrUniform};
use candle_nn::{Init, VarBuilder};

use super::{Block, ResNetParams, Stem};
use crate::error::Result;
use crate::models::Layer;
use crate::models::running::{EPS, Running};
use crate::ops::{
    Begun, Conv2dParams, ConvUnit, FrozenUnits, UnitNorm, Workspace, conv_units_in, fold_batch_norm,
};

/// Units that follow one another, with the running statistics of their normalisations.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    units: Vec<ConvUnit>,
    /// For each unit that normalises with its batch.
    running: Vec<Option<Running>>,
    /// The units in evaluation mode.
    frozen: Option<FrozenUnits>,
    /// The memory of the training steps.
    workspace: Workspace,
}

impl Chain {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if let Some(frozen) = &self.frozen {
            return frozen.forward(x);
        }
        let result = conv_units_in(x, &self.units, EPS, &self.workspace)?;
        for (running, statistics) in self.running.iter().zip(result.statistics) {
            if let (Some(running), Some((mean, variance))) = (running, statistics) {
                running.update(&mean, &variance)?;
            }
        }
        Ok(result.output)
    }

    /// These units and then those of `next`, as one operation.
    pub fn then(&self, next: &Self) -> Self {
        let before = self.units.len();
        let later = next.units.iter().map(|unit| unit.behind(before));
        Self {
            units: self.units.iter().cloned().chain(later).collect(),
            running: self.running.iter().chain(&next.running).cloned().collect(),
            frozen: match (&self.frozen, &next.frozen) {
                (Some(own), Some(next)) => Some(own.then(next)),
                _ => None,
            },
            workspace: self.workspace.clone(),
        }
    }

    /// The units with what is known of them at points, for points between; none in training mode, or where
    /// that is no faster.
    pub fn begun(&self, points: &Tensor) -> Result<Option<Begun>> {
        match &self.frozen {
            Some(frozen) => frozen.begun(points),
            None => Ok(None),
        }
    }

    pub fn is_folded(&self) -> bool {
        self.frozen.is_some()
    }

    /// The units in evaluation mode, layer by layer; none in training mode.
    pub fn layers(&self) -> Option<Vec<Layer>> {
        let mut layers = Vec::new();
        // The number of each unit's result; 0 is the argument of all.
        let mut numbers = vec![0];
        for unit in &self.units {
            let UnitNorm::Bias(bias) = &unit.norm else {
                return None;
            };
            layers.push(Layer::Convolution {
                input: *numbers.get(unit.input)?,
                weight: unit.weight.clone(),
                bias: Some(bias.clone()),
                conv: unit.conv,
            });
            if let Some(residual) = unit.residual {
                let (input, other) = (layers.len(), *numbers.get(residual)?);
                layers.push(Layer::Sum { input, other });
            }
            if unit.relu {
                let input = layers.len();
                layers.push(Layer::Relu { input });
            }
            numbers.push(layers.len());
        }
        Some(layers)
    }

    /// Convolutions and what follows them, without running statistics.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.units.iter().flat_map(|unit| {
            let norm = match &unit.norm {
                UnitNorm::Batch { gamma, beta } => vec![gamma, beta],
                UnitNorm::Bias(bias) => vec![bias],
            };
            std::iter::once(&unit.weight).chain(norm)
        })
    }

    /// The same in evaluation mode, with plain tensors.
    pub fn fold(&self) -> Result<Self> {
        // Training is over, or pauses.
        self.workspace.clear();
        let units = self.units.iter().zip(&self.running).map(|(unit, running)| {
            let (weight, bias) = match (&unit.norm, running) {
                (UnitNorm::Batch { gamma, beta }, Some(Running { mean, variance })) => {
                    fold_batch_norm(&unit.weight, None, [gamma, beta], [mean, variance], EPS)?
                }
                (UnitNorm::Bias(bias), _) => (unit.weight.clone(), bias.clone()),
                (UnitNorm::Batch { gamma, beta }, None) => fold_batch_norm(
                    &unit.weight,
                    None,
                    [gamma, beta],
                    [&beta.zeros_like()?, &gamma.ones_like()?],
                    EPS,
                )?,
            };
            let copy = |tensor: Tensor| tensor.detach().copy();
            Ok(ConvUnit {
                weight: copy(weight)?,
                norm: UnitNorm::Bias(copy(bias)?),
                ..unit.clone()
            })
        });
        let units = units.collect::<Result<Vec<_>>>()?;
        Ok(Self {
            running: vec![None; units.len()],
            frozen: Some(FrozenUnits::new(&units)?),
            workspace: Workspace::default(),
            units,
        })
    }
}

/// Builds the chains one after another, and knows how many channels have come so far.
pub(super) struct Layers<'a> {
    params: ResNetParams,
    vb: VarBuilder<'a>,
    channels: usize,
}

impl<'a> Layers<'a> {
    pub fn new(params: ResNetParams, vb: VarBuilder<'a>) -> Self {
        Self {
            params,
            vb,
            channels: 3,
        }
    }

    pub fn stem(&mut self) -> Result<Chain> {
        let mut chain = Chain {
            units: Vec::new(),
            running: Vec::new(),
            frozen: None,
            workspace: Workspace::default(),
        };
        let (dtype, device) = (self.vb.dtype(), self.vb.device());
        let ResNetParams {
            mean, std, width, ..
        } = &self.params;
        let scale =
            Tensor::from_slice(&std.map(|std| 1. / std), (3, 1, 1, 1), device)?.to_dtype(dtype)?;
        let shift: Vec<f64> = mean
            .iter()
            .zip(std)
            .map(|(mean, std)| -mean / std)
            .collect();
        let norm = UnitNorm::Bias(Tensor::from_vec(shift, 3, device)?.to_dtype(dtype)?);
        // One factor and one number to add for each colour: a convolution of its own group.
        let conv = Conv2dParams {
            groups: 3,
            ..Conv2dParams::default()
        };
        chain.units.push(ConvUnit {
            input: 0,
            residual: None,
            weight: scale,
            conv,
            norm,
            relu: false,
        });
        chain.running.push(None);
        let (kernel, stride) = match self.params.stem {
            Stem::Imagenet => (7, 2),
            Stem::Cifar => (3, 1),
        };
        let shape = Convolution {
            inputs: 3,
            outputs: *width,
            kernel,
            stride,
        };
        self.push(&mut chain, 1, ["conv1", "bn1"], shape, Last::No)?;
        self.channels = *width;
        Ok(chain)
    }

    /// `layer1` for `index` 0, and so on.
    pub fn layer(&mut self, index: usize) -> Result<Chain> {
        let mut chain = Chain {
            units: Vec::new(),
            running: Vec::new(),
            frozen: None,
            workspace: Workspace::default(),
        };
        let width = self.params.width << index;
        let outputs = width * self.params.block.expansion();
        for block in 0..self.params.depths[index] {
            let stride = if block == 0 && index > 0 { 2 } else { 1 };
            let prefix = format!("layer{}.{block}", index + 1);
            let name = |part: &str| format!("{prefix}.{part}");
            let start = chain.units.len();
            let inputs = self.channels;
            let residual = if stride > 1 || inputs != outputs {
                let shape = Convolution {
                    inputs,
                    outputs,
                    kernel: 1,
                    stride,
                };
                let names = [name("downsample.0"), name("downsample.1")];
                self.push(
                    &mut chain,
                    start,
                    names.each_ref().map(String::as_str),
                    shape,
                    Last::Projection,
                )?;
                chain.units.len()
            } else {
                start
            };
            let convolutions = match self.params.block {
                Block::Basic => vec![(inputs, outputs, 3, stride), (outputs, outputs, 3, 1)],
                Block::Bottleneck => vec![
                    (inputs, width, 1, 1),
                    (width, width, 3, stride),
                    (width, outputs, 1, 1),
                ],
            };
            let count = convolutions.len();
            let mut input = start;
            for (place, (inputs, outputs, kernel, stride)) in convolutions.into_iter().enumerate() {
                let names = [
                    name(&format!("conv{}", place + 1)),
                    name(&format!("bn{}", place + 1)),
                ];
                let last = if place + 1 == count {
                    Last::Of(residual)
                } else {
                    Last::No
                };
                let shape = Convolution {
                    inputs,
                    outputs,
                    kernel,
                    stride,
                };
                self.push(
                    &mut chain,
                    input,
                    names.each_ref().map(String::as_str),
                    shape,
                    last,
                )?;
                input = chain.units.len();
            }
            self.channels = outputs;
        }
        Ok(chain)
    }

    fn push(
        &self,
        chain: &mut Chain,
        input: usize,
        [conv, bn]: [&str; 2],
        Convolution {
            inputs,
            outputs,
            kernel,
            stride,
        }: Convolution,
        last: Last,
    ) -> Result<()> {
        let init = Init::Kaiming {
            dist: NormalOrUniform::Normal,
            fan: FanInOut::FanOut,
            non_linearity: NonLinearity::ReLU,
        };
        let weight =
            self.vb
                .pp(conv)
                .get_with_hints((outputs, inputs, kernel, kernel), "weight", init)?;
        let vector = |name, value| {
            self.vb
                .pp(bn)
                .get_with_hints(outputs, name, Init::Const(value))
        };
        let zero = matches!(last, Last::Of(_)) && self.params.zero_init_residual;
        let norm = UnitNorm::Batch {
            gamma: vector("weight", if zero { 0. } else { 1. })?,
            beta: vector("bias", 0.)?,
        };
        chain
            .running
            .push(Some(Running::new(outputs, &self.vb.pp(bn))?));
        let residual = if let Last::Of(residual) = last {
            Some(residual)
        } else {
            None
        };
        let conv = Conv2dParams {
            stride,
            padding: kernel / 2,
            ..Conv2dParams::default()
        };
        let relu = !matches!(last, Last::Projection);
        chain.units.push(ConvUnit {
            input,
            residual,
            weight,
            conv,
            norm,
            relu,
        });
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Convolution {
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
}

/// What becomes of a convolution's result.
enum Last {
    /// It is the last of its block: this result is added, then what is below 0 becomes 0.
    Of(usize),
    /// What is below 0 becomes 0.
    No,
    /// Nothing: it is what is added.
    Projection,
}
