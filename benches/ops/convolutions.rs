//! Convolutions of ResNet-50's shapes, at 32×32 and 224×224 inputs.

use isopath::Result;
use isopath::candle::{CpuStorage, CustomOp2, DType, Device, Layout, Result as CandleResult, Shape, Tensor, Var};
use isopath::ops::{Conv2dParams, conv2d, conv2d_composite};
use isopath::rng::Rng;

use crate::Bench;

/// Images, channels, outputs, image size, kernel size, stride, padding.
const SHAPES: [[usize; 7]; 8] = [
    [32, 64, 64, 32, 3, 1, 1],
    [32, 128, 128, 16, 3, 1, 1],
    [32, 16, 16, 32, 3, 1, 1],
    [32, 64, 16, 32, 1, 1, 0],
    [8, 64, 64, 56, 3, 1, 1],
    [8, 256, 64, 56, 1, 1, 0],
    [8, 3, 64, 224, 7, 2, 3],
    [8, 512, 512, 7, 3, 1, 1],
];

type Op = fn(&Tensor, &Tensor, Option<&Tensor>, &Conv2dParams) -> Result<Tensor>;

pub fn run(bench: &Bench) -> Result<()> {
    let rng = Rng::new(0);
    for [images, channels, outputs, size, kernel, stride, padding] in SHAPES {
        let name = format!("conv2d n={images} c={channels} o={outputs} h={size} k={kernel} s={stride}");
        let params = Conv2dParams { stride, padding, ..Default::default() };
        let normal = |name: &str, shape: [usize; 4]| -> Result<Var> {
            let numbers = rng.stream(name).normal(shape.as_slice(), 0., 1., DType::F32, &Device::Cpu)?;
            Ok(Var::from_tensor(&numbers)?)
        };
        let x = normal("x", [images, channels, size, size])?;
        let weight = normal("weight", [outputs, channels, kernel, kernel])?;
        let out = (size + 2 * padding - kernel) / stride + 1;
        let gradient = normal("gradient", [images, outputs, out, out])?.as_detached_tensor();
        let (x_data, frozen) = (x.as_detached_tensor(), weight.as_detached_tensor());
        let case = |what: &str, x: &Tensor, weight: &Tensor, backward: bool| {
            let step = |op: Op| -> Result<()> {
                let y = op(x, weight, None, &params)?;
                if backward {
                    y.apply_op2(&gradient, Incoming)?.backward()?;
                }
                Ok(())
            };
            bench.case(&format!("{name} {what}"), || step(conv2d), Some(&mut || step(conv2d_composite)))
        };
        case("fwd", &x_data, &frozen, false)?;
        case("fwd+input-grad", &x, &frozen, true)?;
        case("fwd+grads", &x, &weight, true)?;
    }
    Ok(())
}

/// A number whose gradient with respect to the first argument is the second, as PyTorch is given `grad`: a sum of products
/// would be timed too.
struct Incoming;

impl CustomOp2 for Incoming {
    fn name(&self) -> &'static str {
        "incoming"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.]), Shape::from(())))
    }

    fn bwd(
        &self,
        _: &Tensor,
        gradient: &Tensor,
        _: &Tensor,
        _: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(gradient.clone()), None))
    }
}
