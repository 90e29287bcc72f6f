//! Differentiable kernels, each with a plain `_composite` twin that runs on every device.
//!
//! A function here, such as [`leaky_relu`], checks its arguments and then chooses: on a CPU in f32 or
//! f64 a fused kernel, elsewhere its twin in candle's own operations, [`leaky_relu_composite`]. The
//! twin is what CUDA runs, and what the kernel is tested against.
//!
//! # How to add a kernel
//! The smallest one is the worked example: `activation/leaky_relu.rs`.
//!
//! 1. **Measure.** A kernel earns its place where candle's operations cost a notebook seconds. Add a
//!    case to `benches/ops` and write down what the time is spent on, before and after.
//! 2. **The file.** One in the folder of its family: `activation`, `bands`, `convolution`, `conv_units` (a
//!    stage of a residual network), `isometric`, `linear`, `normalisation`, `pooling`; or one beside
//!    them, such as `cross_entropy` and `adam`.
//! 3. **The function and its twin.** The checks come first, and are the same for both: shapes and
//!    ranges, as [`Error`](crate::error::Error)s that say what came and what was expected. `is_fused`
//!    chooses.
//!    ```ignore
//!    pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
//!        check(slope)?;
//!        if is_fused(x) {
//!            return Ok([x].apply(LeakyRelu(slope))?);
//!        }
//!        leaky_relu_composite(x, slope)
//!    }
//!    ```
//!    The twin takes each argument through `widened`, which makes f16 and bf16 f32, and rounds its
//!    result with `to_dtype` at the end: a sum of ones in f16 stalls at 2048. Its gradient is then
//!    added up in f32 too. It must not use candle's operations that cut gradients
//!    (`apply_op*_no_bwd`, `softmax_last_dim`, `layer_norm`).
//! 4. **The name.** Add it to `operation.rs`. The tests no longer compile until they have a case.
//! 5. **The kernel.** A `struct` with the operation's settings that implements `Kernel<N>`
//!    (`custom.rs`) for its `N` tensors:
//!    ```ignore
//!    impl Kernel<1> for LeakyRelu {
//!        fn operation(&self) -> Operation {
//!            Operation::LeakyRelu
//!        }
//!
//!        fn forward<T: Float>(&self, [x]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
//!            let y = scale(x.numbers, x.numbers, self.0)?;
//!            Ok((y, x.layout.shape().clone()))
//!        }
//!
//!        fn backward(&self, [x]: [&Tensor; 1], _: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
//!            Ok([Some([g, x].apply_detached(Gradient(self.0))?)])
//!        }
//!    }
//!    ```
//!    `forward` sees slices of f32 or f64, in order in memory; the shell has told the dtypes apart,
//!    checked them and put the arguments in order. `backward` gives a gradient for each argument, or
//!    `None` where `Tensor::track_op` says that nothing asks for it: work on frozen weights is wasted.
//!    The gradient is a kernel too, `Gradient` here, run by `apply_detached`. What the forward pass
//!    knows already can wait in a `OnceLock` of the `struct`, as in `cross_entropy` and `max_pool2d`.
//! 6. **The loop.** `vectorised!(simd::arch()?, { … })` runs it with the widest vectors of the processor.
//!    Without a branch the compiler makes vectors of a plain loop; where it does not, write them with
//!    the vector functions of `simd::Float`. Threads share out parts whose sizes depend on the
//!    shapes alone, and each sum is taken in one order: then the number of threads changes no bit.
//!    Sums over many numbers are in f64, or in as many parts as lose nothing.
//! 7. **The tests**, all of small shapes:
//!    - values and every gradient against the twin, in f32 and f64 (`tests/composite_twins.rs` the
//!      plain case; a file of its own the awkward ones: views, no numbers, odd sizes, ties, NaN);
//!    - values against PyTorch, with the snippet and its version beside them;
//!    - gradients against finite differences in f64;
//!    - one, two and three threads: the same bits (`common::with_threads`);
//!    - every instruction set (`common::run_with_every_instruction_set`);
//!    - frozen arguments get no gradient; each error is reached, and its text read;
//!    - thousands of ones in f16 and bf16 (`tests/half_precision.rs`).
//!
//! No two files here refer to each other: what they share is in a third file.

mod activation;
mod adam;
mod bands;
mod conv_units;
mod convolution;
mod cross_entropy;
mod custom;
mod dtype;
mod isometric;
mod laid;
mod linear;
mod lines;
mod memory;
mod normalisation;
mod operation;
mod planes;
mod pooling;
mod simd;

pub(crate) use bands::points_between;
pub(crate) use dtype::widened;
pub(crate) use laid::{LaidConvolution, Means, Pixels, Rows, Windows};
pub(crate) use linear::{largest_eigenvector, product};
pub(crate) use lines::{Between, Patches, add as add_to_rows, changes};
pub(crate) use simd::{Loop, arch, vectorised};

pub(crate) use activation::relu;
pub use activation::{leaky_relu, leaky_relu_composite};
pub use adam::{AdamStep, adam, adam_composite};
pub use bands::{
    PivotForce, Place, band_forces, band_forces_composite, band_lengths, band_lengths_composite,
    band_points, band_points_composite, row_norms, row_norms_composite,
};
pub(crate) use conv_units::{Begun, Workspace, conv_units_in};
pub use conv_units::{
    ConvUnit, ConvUnits, FrozenUnits, UnitNorm, conv_units, conv_units_composite,
};
pub use convolution::{
    Conv2dParams, ConvTranspose2dParams, conv_transpose2d, conv_transpose2d_composite, conv2d,
    conv2d_composite, conv2d_relu, conv2d_relu_composite,
};
pub use cross_entropy::{
    cross_entropies, cross_entropies_composite, cross_entropy, cross_entropy_composite,
};
pub use isometric::{
    Distances, isometric, isometric_composite, isometric_to, isometric_to_composite,
};
pub use linear::{
    gram_sums, gram_sums_composite, linear, linear_composite, linear_tanh, linear_tanh_composite,
};
pub use normalisation::{
    BatchNorm, batch_norm, batch_norm_composite, batch_norm_eval, batch_norm_eval_composite,
    fold_batch_norm, running_statistics,
};
#[doc(hidden)]
pub use operation::Operation;
pub use pooling::{
    global_avg_pool2d, global_avg_pool2d_composite, max_pool2d, max_pool2d_composite,
};
