//! The squared norm of a network's Jacobian as a regulariser.

use candle_core::{DType, Tensor};

use crate::checks;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::losses::{Loss, LossTerms, cross_entropy};
use crate::models::{Layer, Network};
use crate::ops::{linear, linear_tanh, relu, widened};
use crate::rng::Rng;

/// The cross-entropy, and the squared norm of the Jacobian: logits are to change little where the
/// input does.
///
/// ```text
/// L      = L_CE + (λ/2) · ‖J‖²_F
/// ‖J‖²_F = (1/N) Σ_i Σ_c ‖∂f_c(x_i)/∂x_i‖²                    exactly, or estimated by
///        ≈ (1/N) Σ_i (C/P) Σ_p ‖∂(v_ip · f(x_i))/∂x_i‖²,  v_ip uniform on the sphere in ℝ^C
/// ```
///
/// f are the logits of C classes, N is the size of the batch, and P the number of random
/// projections for each input. The estimate's mean is the exact value. The vectors v follow from
/// `seed` and from the batch: the same batch has the same ones, another batch has others. So with
/// one batch of all inputs they are the same in each epoch, and the exact norm is the choice.
///
/// candle cannot differentiate a gradient. The products vᵀJ are therefore written out, layer by
/// layer from the last to the first, in operations that candle can differentiate; the network must
/// give its [layers](Network::layers), and these must be linear, flattening, tanh or ReLU (whose
/// slope at 0 is 0 here).
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32; the loss is a scalar ().
/// - **Range**: ≥ 0; ‖J‖²_F in squared logits per squared unit of the input.
/// - **Source**: Hoffman, Roberts & Yaida 2019 (arXiv 1908.02729), equations 4 and 7 and algorithm
///   1; the scaling, with the factor ½ and the mean over the batch, is that of their public code.
///   λ = 0.01 and P = 1 are theirs on MNIST.
///
/// # Errors
/// [`Loss::loss`] refuses λ negative or not finite, no projections, a network with other layers or
/// fewer than 2 classes, and what [`cross_entropy`] refuses.
///
/// # Examples
/// ```
/// use isopath::losses::JacobianPenalty;
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[4, 8, 3], Activation::Tanh, vb))?;
/// let x = Rng::new(0).normal((20, 4), 0., 1., DType::F32, &device::best())?;
/// let data = Dataset::new(x, Tensor::zeros(20, DType::U32, &device::best())?)?;
/// let exact = JacobianPenalty { projections: None, ..JacobianPenalty::new(0.01) };
/// let estimate = JacobianPenalty { projections: Some(500), ..exact };
/// let [exact, estimate] = [exact, estimate].map(|loss| loss.norm(&network, &data));
/// let ratio = (estimate? / exact?)?.to_scalar::<f32>()?;
/// assert!((ratio - 1.).abs() < 0.05);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JacobianPenalty {
    /// λ ≥ 0, the weight of the norm; 0.01 by default.
    pub lambda: f64,
    /// P, the number of random projections for each input, at least 1; `None` for the exact norm,
    /// which takes C of them. 1 by default.
    pub projections: Option<usize>,
    /// The seed of the projections; 0 by default.
    pub seed: u64,
}

impl Default for JacobianPenalty {
    fn default() -> Self {
        Self {
            lambda: 0.01,
            projections: Some(1),
            seed: 0,
        }
    }
}

impl JacobianPenalty {
    /// The loss L_CE + (λ/2)·‖J‖²_F with one projection.
    pub fn new(lambda: f64) -> Self {
        Self {
            lambda,
            ..Self::default()
        }
    }

    /// Checks λ and the number of projections.
    ///
    /// # Errors
    /// λ negative, NaN or infinite, or no projections.
    pub fn validate(&self) -> Result<()> {
        checks::not_negative("lambda", self.lambda)?;
        self.projections
            .map_or(Ok(()), |count| checks::at_least_one("projections", count))
    }

    /// The squared norm ‖J‖²_F of a batch, without its weight λ/2; differentiable in weights and
    /// inputs.
    ///
    /// ```text
    /// ‖J‖²_F = (1/N) Σ_i (C/P) Σ_p ‖∂(v_ip · f(x_i))/∂x_i‖²
    /// ```
    ///
    /// - **Shapes**: inputs (N, …), labels (N,) of u32; the result is a scalar ().
    /// - **Range**: ≥ 0.
    /// - **Source**: Hoffman, Roberts & Yaida 2019 (arXiv 1908.02729), equation 7.
    ///
    /// # Errors
    /// As [`Loss::loss`].
    pub fn norm(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        self.validate()?;
        let pass = Pass::new(network, &batch.inputs)?;
        pass.norm(&self.vectors(pass.logits.dim(1)?, batch)?)
    }

    /// The vectors v of a batch, (P, N, C), or (C, 1, C) for the exact norm.
    fn vectors(&self, classes: usize, batch: &Dataset) -> Result<Tensor> {
        let (x, n) = (&batch.inputs, batch.len());
        let Some(count) = self.projections else {
            let identity = Tensor::eye(classes, x.dtype(), x.device())?;
            return Ok(identity.unsqueeze(1)?);
        };
        let mut rng = Rng::new(self.seed).stream_of("projections", &[&batch.labels, x])?;
        let normal = rng.normal((count, n, classes), 0., 1., DType::F64, x.device())?;
        let length = normal.sqr()?.sum_keepdim(2)?.sqrt()?;
        Ok(normal.broadcast_div(&length)?.to_dtype(x.dtype())?)
    }
}

impl Loss for JacobianPenalty {
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        Ok(self.terms(network, batch)?.loss)
    }

    fn terms(&self, network: &dyn Network, batch: &Dataset) -> Result<LossTerms> {
        self.validate()?;
        let pass = Pass::new(network, &batch.inputs)?;
        let cross_entropy = cross_entropy(&pass.logits, &batch.labels)?;
        let mut loss = cross_entropy.clone();
        if self.lambda > 0. {
            let norm = pass.norm(&self.vectors(pass.logits.dim(1)?, batch)?)?;
            loss = (loss + (norm * (self.lambda / 2.))?)?;
        }
        Ok(LossTerms {
            loss,
            logits: Some(pass.logits.detach()),
            cross_entropy: Some(cross_entropy.detach()),
            isometric: None,
        })
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// What one layer does to a row vector on its way back to the inputs.
enum Slope {
    /// g → g·W.
    Matrix(Tensor),
    /// g → g ⊙ slope, of each input (N, outputs).
    Factors(Tensor),
}

/// The logits of a batch, and the derivatives of the layers before them.
struct Pass {
    slopes: Vec<Slope>,
    logits: Tensor,
}

impl Pass {
    fn new(network: &dyn Network, x: &Tensor) -> Result<Self> {
        if x.rank() < 2 || x.elem_count() == 0 {
            let expected = "(N, …), N ≥ 1 and no dimension 0";
            return Err(Error::shape(
                "JacobianPenalty",
                "inputs",
                expected,
                x.dims(),
            ));
        }
        let (mut slopes, mut y) = (Vec::new(), x.clone());
        for stage in 0..network.stages() {
            let mut layers = chain(network, stage)?.into_iter().peekable();
            while let Some(layer) = layers.next() {
                match layer {
                    Layer::Flatten { .. } => y = y.flatten_from(1)?,
                    Layer::Affine { weight, bias, .. } => {
                        let bias = match bias {
                            Some(bias) => bias,
                            None => Tensor::zeros(weight.dim(0)?, y.dtype(), y.device())?,
                        };
                        // One operation where tanh follows.
                        let with_tanh = layers.next_if(|next| matches!(next, Layer::Tanh { .. }));
                        y = match with_tanh {
                            Some(_) => linear_tanh(&y, &weight, &bias)?,
                            None => linear(&y, &weight, &bias)?,
                        };
                        slopes.push(Slope::Matrix(weight));
                        if with_tanh.is_some() {
                            slopes.push(Slope::Factors(slope_of_tanh(&y)?));
                        }
                    }
                    Layer::Tanh { .. } => {
                        y = y.tanh()?;
                        slopes.push(Slope::Factors(slope_of_tanh(&y)?));
                    }
                    Layer::Relu { .. } => {
                        y = relu(&y)?;
                        let positive = y.detach().gt(&y.zeros_like()?)?;
                        slopes.push(Slope::Factors(positive.to_dtype(y.dtype())?));
                    }
                    other => return Err(unknown(stage, format!("{other:?}"))),
                }
            }
        }
        let n = x.dim(0)?;
        match *y.dims() {
            [rows, classes] if rows == n && classes > 1 => Ok(Self { slopes, logits: y }),
            _ => {
                let expected = format!("({n}, classes), at least 2 classes");
                Err(Error::shape(
                    "JacobianPenalty",
                    "logits",
                    expected,
                    y.dims(),
                ))
            }
        }
    }

    /// (C / (P·N)) Σ ‖vᵀJ‖² for `vectors` v, (P, N, C) or (P, 1, C).
    fn norm(&self, vectors: &Tensor) -> Result<Tensor> {
        let (count, _, classes) = vectors.dims3()?;
        let n = self.logits.dim(0)?;
        let mut g = vectors.clone();
        for slope in self.slopes.iter().rev() {
            g = match slope {
                Slope::Matrix(weight) => {
                    let (p, rows, outputs) = g.dims3()?;
                    let product = g.reshape((p * rows, outputs))?.matmul(weight)?;
                    product.reshape((p, rows, ()))?
                }
                Slope::Factors(factors) => {
                    g.broadcast_mul(&factors.flatten_from(1)?.unsqueeze(0)?)?
                }
            };
        }
        // The same for all inputs where no layer bends.
        let repeated = n / g.dim(1)?;
        let sum = widened("Jacobian", &g)?.sqr()?.sum_all()?;
        let scale = (classes * repeated) as f64 / (count * n) as f64;
        Ok((sum * scale)?.to_dtype(self.logits.dtype())?)
    }
}

/// 1 − tanh², of the tanh.
fn slope_of_tanh(y: &Tensor) -> Result<Tensor> {
    Ok(y.sqr()?.affine(-1., 1.)?)
}

/// The layers of a stage that lead from its argument to its result, each reading the one before.
fn chain(network: &dyn Network, stage: usize) -> Result<Vec<Layer>> {
    let all = network
        .layers(stage)?
        .ok_or_else(|| unknown(stage, "unknown".to_string()))?;
    let (mut chain, mut at) = (Vec::new(), all.len());
    while at > 0 {
        let layer = &all[at - 1];
        // A sum has two ways back.
        at = match layer.inputs()[..] {
            [input] if input < at => input,
            _ => return Err(unknown(stage, format!("{layer:?}"))),
        };
        chain.push(layer.clone());
    }
    chain.reverse();
    Ok(chain)
}

fn unknown(stage: usize, got: String) -> Error {
    let expected =
        "linear layers, flattening, tanh and ReLU alone, given by the network's `layers`";
    let got = got.split(['{', '(']).next().unwrap_or_default().trim();
    Error::argument("layer", expected, format!("{got} in stage {stage}"))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::models::{Activation, Mlp, Model};

    fn wave(shape: &[usize], start: f64) -> Result<Tensor> {
        let numbers = (0..shape.iter().product()).map(|n| (n as f64 + start).sin());
        Ok(Tensor::from_vec(
            numbers.collect::<Vec<_>>(),
            shape,
            &Device::Cpu,
        )?)
    }

    /// ```python
    /// import torch                                                    # 2.15.0
    /// torch.set_default_dtype(torch.float64)
    /// def wave(*shape, start):
    ///     n = torch.Size(shape).numel()
    ///     return torch.sin(torch.arange(n) + start).reshape(shape)
    /// w1 = wave(4, 3, start=0.).requires_grad_(); b1 = wave(4, start=1.)
    /// w2 = wave(3, 4, start=2.).requires_grad_(); b2 = wave(3, start=3.)
    /// x = wave(2, 3, start=4.).requires_grad_()
    /// v = wave(2, 2, 3, start=5.)
    /// v = v / v.norm(dim=2, keepdim=True)
    /// z = torch.tanh(x @ w1.T + b1) @ w2.T + b2
    /// norm = 0
    /// for p in range(2):
    ///     g, = torch.autograd.grad(z.flatten(), x, v[p].flatten(), create_graph=True)
    ///     norm = norm + 3 * g.norm()**2 / (2 * 2)                     # C ‖g‖² / (P N)
    /// norm.backward()
    /// print(norm.item()); print(w1.grad.tolist()); print(w2.grad.tolist())
    /// ```
    #[test]
    fn given_projections_are_pytorchs() -> Result<()> {
        let model = Model::on(0, DType::F64, &Device::Cpu, |vb| {
            Mlp::new(&[3, 4, 3], Activation::Tanh, vb)
        })?;
        let named = model.parameters().named();
        let names = [
            "layers.0.weight",
            "layers.0.bias",
            "layers.1.weight",
            "layers.1.bias",
        ];
        for (start, name) in names.iter().enumerate() {
            let var: &Var = &named[*name];
            var.set(&wave(var.dims(), start as f64)?)?;
        }
        let vectors = wave(&[2, 2, 3], 5.)?;
        let vectors = vectors.broadcast_div(&vectors.sqr()?.sum_keepdim(2)?.sqrt()?)?;
        let norm = Pass::new(&model, &wave(&[2, 3], 4.)?)?.norm(&vectors)?;
        assert!((norm.to_scalar::<f64>()? - 5.571830827717987).abs() < 1e-13);
        let gradients = norm.backward()?;
        let known = [
            [
                [-2.426986835396013, 0.5489746138823666, 3.0202113348834425],
                [-0.4326312796460144, -1.176828137364453, -0.8390546328110293],
                [
                    0.18805837776671816,
                    0.10036187306802649,
                    -0.07960687488691764,
                ],
                [-1.6957417100375012, -5.362726639429706, -4.099245428011239],
            ]
            .concat(),
            [
                [
                    4.967042061909481,
                    1.3927648668646555,
                    3.2016570110825078,
                    -4.469725698252555,
                ],
                [
                    2.007227044896124,
                    0.8016548455005096,
                    1.2084037759310338,
                    -1.7754897002003536,
                ],
                [
                    -2.798023260392945,
                    -0.5264929437960701,
                    -1.8958503179718993,
                    2.5511233401257893,
                ],
            ]
            .concat(),
        ];
        for (name, known) in [names[0], names[2]].iter().zip(known) {
            let own = gradients.get(&named[*name]).map(|g| g.flatten_all());
            let own = own
                .transpose()?
                .map_or(Ok(vec![]), |g| g.to_vec1::<f64>())?;
            assert_eq!(own.len(), known.len());
            for (own, known) in own.iter().zip(known) {
                assert!((own - known).abs() < 1e-13, "{name}: {own} {known}");
            }
        }
        Ok(())
    }
}
