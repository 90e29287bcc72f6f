//! Convolutions of ResNet-50's shapes, at 32×32 and 224×224 inputs, and of a narrow ResNet-50 on
//! CIFAR-10.
//!
//! # How far from the machine's limit
//! Two Zen 4 cores with AVX-512 run 115 GFLOP/s each and 230 together, in a loop of 24 independent
//! multiply-adds on registers; a vector's multiply-add takes a cycle. With 8 rows and 3 vectors of
//! a tile in registers the kernels alone reach, of 230: 3×3 over 32 to 64 columns or 28×28 images
//! 85 to 91 % forward and for the input gradient, 73 to 80 % for the weight gradient (8 numbers are
//! spread over vectors in each step, which the load ports bound, and one factor is transposed); 3×3
//! on 8×8 and 4×4 images 66 to 80 % counting the products with padding; 1×1 from 128 channels on 65
//! to 87 %; stride 2 55 to 63 %, half of the rest goes into dealing out rows and columns; 512→512
//! on 7×7 70 to 77 %, the rest into ordering 9 MB of weights anew and into vectors that go over the
//! end of an image; 3→64 7×7 stride 2 81 %, 52 to 60 % and 60 %: its input gradient has three
//! channels for four rows of a tile. 16→64 and 64→16 1×1 at 32×32 stream 42 MB in 3 ms: memory, not
//! arithmetic.
//!
//! # Against PyTorch
//! PyTorch's time divided by ours, of one run of `compare.py` on two cores, version 2.15, (N, C, H,
//! W) on both sides:
//!
//! | case | fwd | + input gradient | + both |
//! |---|---|---|---|
//! | 64→64 3×3, 32×32, batch 32 | 0.97 | 1.22 | 1.22 |
//! | 128→128 3×3, 16×16, batch 32 | 0.87 | 0.83 | 0.79 |
//! | 16→16 3×3, 32×32, batch 32 | 1.16 | 0.82 | 0.93 |
//! | 64→16 1×1, 32×32, batch 32 | 1.87 | 1.11 | 0.89 |
//! | 64→64 3×3, 56×56, batch 8 | 0.89 | 0.86 | 0.95 |
//! | 256→64 1×1, 56×56, batch 8 | 1.28 | 1.80 | 1.68 |
//! | 3→64 7×7 stride 2, 224×224, batch 8 | 2.73 | 2.70 | 2.09 |
//! | 512→512 3×3, 7×7, batch 8 | 0.73 | 0.74 | 0.80 |
//!
//! The geometric mean is 1.14. The last case is below 0.8: at 257 GFLOP/s by the usual count
//! PyTorch must leave out products with padding, 18 % there, and this kernel does not.
//!
//! # What was tried
//! - The input gradient as sums scattered to memory, tap by tap: half as fast as gathering it like
//!   the forward pass.
//! - The weight gradient as dot products along the rows, each vector of sums added up in the end: a
//!   quarter slower than rows of channels, and bound by the first cache.
//! - Rows with their zeros as positions of the result: 4×4 images lose 36 %, 8×8 21 %.
//! - The right factor copied into panels, as a matrix product has it: 10 to 20 % slower than
//!   reading the laid image in place, except where vectors lie in parts.
//! - Squares of 4, 8 and 16 numbers for the transposition: no faster than a loop that writes 16
//!   rows at a time.
//! - Sums of a tile stored by a loop whose end the compiler does not know: five times slower, they
//!   leave the registers.
//! - Not tried: Winograd's transforms, which round more, and skipping the products with padding.
//!
//! # Memory
//! With glibc's defaults a result above 32 MB is given back to the system each time, and zeroing
//! its pages again costs more than the kernel: 16→64 1×1 took 12.6 ms forward and takes 3.2 with
//! the thresholds in `.cargo/config.toml`, 3.1 with large pages. candle's backward pass adds every
//! gradient to zeros besides, on one thread: 25 MB cost some 6 ms, which operations that span
//! several layers (`ops::conv_units`) avoid.

use isopath::Result;
use isopath::candle::{
    CpuStorage, CustomOp2, DType, Device, Layout, Result as CandleResult, Shape, Tensor, Var,
};
use isopath::ops::{Conv2dParams, conv2d, conv2d_composite};
use isopath::rng::Rng;

use crate::Bench;

/// Images, channels, outputs, image size, kernel size, stride, padding.
const SHAPES: [[usize; 7]; 25] = [
    [32, 64, 64, 32, 3, 1, 1],
    [32, 128, 128, 16, 3, 1, 1],
    [32, 16, 16, 32, 3, 1, 1],
    [32, 64, 16, 32, 1, 1, 0],
    [8, 64, 64, 56, 3, 1, 1],
    [8, 256, 64, 56, 1, 1, 0],
    [8, 3, 64, 224, 7, 2, 3],
    [8, 512, 512, 7, 3, 1, 1],
    // Of a ResNet-50 a quarter as wide, on CIFAR-10.
    [128, 3, 16, 32, 3, 1, 1],
    [128, 16, 16, 32, 3, 1, 1],
    [128, 16, 64, 32, 1, 1, 0],
    [128, 64, 16, 32, 1, 1, 0],
    [128, 32, 32, 32, 3, 2, 1],
    [128, 64, 128, 32, 1, 2, 0],
    [128, 32, 32, 16, 3, 1, 1],
    [128, 32, 128, 16, 1, 1, 0],
    [128, 128, 32, 16, 1, 1, 0],
    [128, 64, 64, 16, 3, 2, 1],
    [128, 128, 256, 16, 1, 2, 0],
    [128, 64, 64, 8, 3, 1, 1],
    [128, 64, 256, 8, 1, 1, 0],
    [128, 256, 64, 8, 1, 1, 0],
    [128, 128, 128, 4, 3, 1, 1],
    [128, 128, 512, 4, 1, 1, 0],
    [128, 512, 128, 4, 1, 1, 0],
];

type Op = fn(&Tensor, &Tensor, Option<&Tensor>, &Conv2dParams) -> Result<Tensor>;

pub fn run(bench: &Bench) -> Result<()> {
    let rng = Rng::new(0);
    for [images, channels, outputs, size, kernel, stride, padding] in SHAPES {
        let name =
            format!("conv2d n={images} c={channels} o={outputs} h={size} k={kernel} s={stride}");
        if !bench.wants_any(&name, &["fwd", "fwd+input-grad", "fwd+grads"]) {
            continue;
        }
        let params = Conv2dParams {
            stride,
            padding,
            ..Default::default()
        };
        let normal = |name: &str, shape: [usize; 4]| -> Result<Var> {
            let numbers =
                rng.stream(name)
                    .normal(shape.as_slice(), 0., 1., DType::F32, &Device::Cpu)?;
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
            let mut composite = || step(conv2d_composite);
            // The composite of many images takes seconds.
            let composite: Option<&mut dyn FnMut() -> Result<()>> = if images > 32 {
                None
            } else {
                Some(&mut composite)
            };
            bench.case(&format!("{name} {what}"), || step(conv2d), composite)
        };
        case("fwd", &x_data, &frozen, false)?;
        case("fwd+input-grad", &x, &frozen, true)?;
        case("fwd+grads", &x, &weight, true)?;
    }
    Ok(())
}

/// A number whose gradient with respect to the first argument is the second, as PyTorch is given
/// `grad`: a sum of products would be timed too.
struct Incoming;

impl CustomOp2 for Incoming {
    fn name(&self) -> &'static str {
        "incoming"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
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
