//! Convolutions of ResNet-50's shapes, at 32×32 and 224×224 inputs, and of a narrow ResNet-50 on
//! CIFAR-10.
//!
//! # How it is computed
//! Channels lie side by side. But for Winograd's and 1×1 ones, a tile of the result is 12 pixels and two vectors of
//! channels (6 pixels where there are 16 registers, as with AVX2): for each channel of the source its weights are two
//! vectors, and each pixel's number is spread over one. Where a pixel reads is in a table, so that
//! stride, padding, dilation and the width of an image do not matter to the loop; a tap that lies
//! outside for a whole tile is left out.
//!
//! # How far from the machine's limit
//! Two cores of an Intel Xeon with AVX-512 (192 GFLOP/s each in a loop of 12 independent
//! multiply-adds; 96 with AVX2). The loop alone, one core, share of this limit:
//!
//! | case | AVX2 | AVX-512 |
//! |---|---|---|
//! | 64→64 3×3, 32×32 | 99 % | 94 % |
//! | 64→64 1×1, 32×32 | 94 % | 91 % |
//! | 16→64 1×1, 32×32 | 81 % | 72 % |
//! | 16→16 3×3, 32×32 | 97 % | 78 % |
//! | 64→16 1×1, 32×32 | 91 % | 77 % |
//! | 128→128 3×3, 8×8 | 99 % | 92 % |
//!
//! The answers of a network of width 16 (`resnet.rs`) reach three quarters of the limit on AVX2, since
//! all its units are one operation. A convolution of its own cannot: a tensor has its channels one after
//! another, is laid out anew before and after, and its memory is filled with zeros first. Then candle's
//! tape adds each gradient to zeros, on one thread: 5 ms of 20 for 64→64.
//!
//! # Against PyTorch
//! PyTorch's time divided by ours, medians of three rounds of `compare.py` on two Zen 4 cores with AVX-512,
//! version 2.15: in its usual layout (N, C, H, W), which is ours, / with channels last.
//!
//! | case | fwd | + input gradient | + both |
//! |---|---|---|---|
//! | 64→64 3×3, 32×32, batch 32 | 2.87 / 1.77 | 2.36 / 1.72 | 2.24 / 1.62 |
//! | 128→128 3×3, 16×16, batch 32 | 1.99 / 1.98 | 1.85 / 1.83 | 1.71 / 1.65 |
//! | 16→16 3×3, 32×32, batch 32 | 1.10 / 0.77 | 0.87 / 0.69 | 0.92 / 0.72 |
//! | 64→16 1×1, 32×32, batch 32 | 0.92 / 0.56 | 0.52 / 0.31 | 2.68 / 0.28 |
//! | 64→64 3×3, 56×56, batch 8 | 2.06 / 1.96 | 1.71 / 1.60 | 1.97 / 1.65 |
//! | 256→64 1×1, 56×56, batch 8 | 0.90 / 0.66 | 1.89 / 0.56 | 1.70 / 0.56 |
//! | 3→64 7×7 stride 2, 224×224, batch 8 | 1.60 / 0.55 | 2.05 / 1.30 | 1.45 / 1.02 |
//! | 512→512 3×3, 7×7, batch 8 | 0.81 / 0.98 | 0.86 / 1.00 | 0.78 / 0.85 |
//! | 3→16 3×3, 32×32, batch 128 | 0.51 / 0.39 | 0.75 / 0.63 | 0.63 / 0.52 |
//! | 16→16 3×3, 32×32, batch 128 | 1.23 / 0.85 | 0.91 / 0.69 | 0.98 / 0.72 |
//! | 16→64 1×1, 32×32, batch 128 | 6.68 / 3.27 | 3.07 / 1.14 | 2.84 / 0.87 |
//! | 64→16 1×1, 32×32, batch 128 | 0.85 / 0.57 | 1.45 / 1.17 | 2.72 / 0.85 |
//! | 32→32 3×3 stride 2, 32×32, batch 128 | 0.80 / 0.65 | 0.89 / 0.65 | 0.88 / 0.68 |
//! | 64→128 1×1 stride 2, 32×32, batch 128 | 2.37 / 0.50 | 2.84 / 0.96 | 2.67 / 0.82 |
//! | 32→32 3×3, 16×16, batch 128 | 1.50 / 1.47 | 1.18 / 1.17 | 1.34 / 1.20 |
//! | 32→128 1×1, 16×16, batch 128 | 1.18 / 0.64 | 0.73 / 0.54 | 0.69 / 0.48 |
//! | 128→32 1×1, 16×16, batch 128 | 1.15 / 0.67 | 0.71 / 0.48 | 0.74 / 0.44 |
//! | 64→64 3×3 stride 2, 16×16, batch 128 | 0.88 / 0.77 | 0.94 / 0.70 | 0.88 / 0.70 |
//! | 128→256 1×1 stride 2, 16×16, batch 128 | 1.12 / 0.73 | 1.04 / 0.69 | 0.95 / 0.65 |
//! | 64→64 3×3, 8×8, batch 128 | 1.89 / 1.60 | 1.71 / 1.47 | 1.85 / 1.56 |
//! | 64→256 1×1, 8×8, batch 128 | 1.11 / 0.90 | 0.85 / 0.61 | 0.83 / 0.65 |
//! | 256→64 1×1, 8×8, batch 128 | 1.06 / 0.83 | 0.85 / 0.63 | 0.82 / 0.59 |
//! | 128→128 3×3, 4×4, batch 128 | 1.18 / 1.12 | 1.27 / 1.17 | 1.25 / 1.10 |
//! | 128→512 1×1, 4×4, batch 128 | 0.95 / 0.92 | 0.87 / 0.85 | 0.86 / 0.76 |
//! | 512→128 1×1, 4×4, batch 128 | 0.94 / 0.89 | 0.83 / 0.84 | 0.92 / 0.93 |
//!
//! Those of 3×3 with stride 1 and 16 to 256 channels are Winograd's (`ops/convolution/winograd`), the
//! gradient of the weight among them, which takes 40 to 70 % of the time of nine taps, but 90 % with 16 channels.
//! The means over the first eight shapes are 1.39, 1.35 and 1.56 in the usual layout, and 1.01, 0.97 and 0.90
//! with channels last; with AVX2 alone 1.46, 1.39 and 1.52, and 1.09, 0.98 and 0.93.
//!
//! Those of 1×1 leave the images as tensors have them (`ops/convolution/pointwise`): a tile is eight rows of
//! the result and three vectors of pixels (six and two where there are 16 registers); forward, 128→512 takes
//! 80 % of the limit. With gradients, candle's tape takes longer than they do: it fills memory with zeros for
//! every gradient and adds to it, on one thread. The others' own loops are near the processor's limit; they
//! lose in laying out images and in filling memory with zeros, which channels last does not need.
//!
//! # What was tried
//! - Vectors along the rows of an image, as a tensor lies in memory: 85 to 91 % of AVX-512's limit for
//!   3×3 on wide images, but a third of AVX2's, and two thirds on 4×4 and 8×8 images, whose rows do
//!   not fill vectors. Only for 1×1 was it faster, with nothing to lay out, and serves there.
//! - 1×1 by four rows and three vectors on AVX2: half as fast as by six and two. Where results are written at
//!   indices that the compiler does not know, all sums go through memory: 2.5 times slower.
//! - A check of bounds in the loop: the sums go through memory, and it is three times slower.
//! - Four pixels and three vectors on AVX2: 68 to 96 %; eight and three on AVX-512: as twelve and two,
//!   but channels come in powers of two.
//! - Groups of images of 400,000 numbers in place of 100,000 in `conv_units`: 2 to 8 % slower.
//! - Winograd's F(4×4, 3×3), milliseconds of one thread of a Zen 4 core, before → after: 64→64 32×32 batch
//!   32: 25 → 11; 128→128 16×16 batch 32: 23 → 9.8; 16→16 32×32 batch 128: 7.8 → 6.0; 512→512 7×7 gains
//!   nothing, since its transformed weights are 38 MB, so it stays with nine taps. Blocks of 12, 24, 48
//!   and 96 tiles: 12 are as fast as any up to 64 channels, and by a fifth faster with AVX2. New memory
//!   for each block: 4 % of a network's answers for filling it with zeros.
//! - Units of a frozen network that keep their tables for images of the size of the last ones, and all memory of
//!   their calls: a test of `--suite regions` in the pixels 20.8 → 19.0 ms (two Zen 3 cores, AVX2), of which 95 % are
//!   products and Winograd's transforms.
//! - Units of a frozen network that keep a byte for the sign of each number in place of the number: 112 →
//!   100 ms for answers and input gradients of 64 images.
//!
//! # Memory
//! With glibc's defaults a result above 32 MB is given back to the system each time, and zeroing
//! its pages again costs more than the kernel, hence the thresholds in `.cargo/config.toml`.

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
