//! The one source of randomness.
//!
//! candle's CPU generator cannot be seeded, so initial weights, shuffles, noise and random starts
//! all come from here: same seed, same numbers, whatever the device and the number of threads.

use candle_core::{DType, Device, Shape, Tensor};
use rand::{Rng as _, RngCore, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// A seeded generator of random numbers (ChaCha8): same seed, same numbers.
///
/// [`Rng::stream`] gives independent generators by name, so that adding a draw in one place changes
/// no other.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let draw = |seed| Rng::new(seed).below(1_000_000);
/// assert_eq!(draw(0)?, draw(0)?);
/// assert_ne!(draw(0)?, draw(1)?);
/// let noise = Rng::new(0).normal((2, 3), 0., 1., DType::F32, &Device::Cpu)?;
/// assert_eq!(noise.dims(), [2, 3]);
/// let mut order = Rng::new(0).stream("order").permutation(4);
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3]);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    key: [u8; 32],
    generator: ChaCha8Rng,
}

impl Rng {
    /// Makes the generator of a seed.
    pub fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self::from_key(key)
    }

    fn from_key(key: [u8; 32]) -> Self {
        Self {
            key,
            generator: ChaCha8Rng::from_seed(key),
        }
    }

    /// An independent generator that depends on this one's seed and on `name` alone, not on what
    /// was drawn so far.
    pub fn stream(&self, name: impl AsRef<[u8]>) -> Self {
        let digest = Sha256::new()
            .chain_update(self.key)
            .chain_update(name)
            .finalize();
        Self::from_key(digest.into())
    }

    /// An independent generator for the numbers of these tensors: it depends on this one's seed, on
    /// `name` and on every bit of them. What has no number of its own, such as a batch that a loss
    /// sees, gets random numbers that are its own and come again with it.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub(crate) fn stream_of(&self, name: &str, tensors: &[&Tensor]) -> Result<Self> {
        let mut name = name.as_bytes().to_vec();
        for tensor in tensors {
            name.extend(bits(tensor)?.iter().flat_map(|lane| lane.to_le_bytes()));
        }
        Ok(self.stream(name))
    }

    /// A whole number below a bound, each equally likely.
    ///
    /// - **Shapes**: a number.
    /// - **Range**: from 0 to `bound` − 1.
    /// - **Source**: the definition.
    ///
    /// # Errors
    ///
    /// `bound` is 0.
    pub fn below(&mut self, bound: usize) -> Result<usize> {
        if bound == 0 {
            return Err(Error::argument("bound", "at least 1", bound));
        }
        Ok(self.generator.random_range(0..bound))
    }

    /// The numbers `0..n` in random order, each order equally likely.
    ///
    /// - **Shapes**: n numbers.
    /// - **Range**: from 0 to n − 1, each once.
    /// - **Source**: Fisher & Yates's shuffle, as the crate `rand` has it.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut self.generator);
        order
    }

    /// A tensor of independent random numbers, each equally likely between two ends.
    ///
    /// ```text
    /// x = lo + (hi − lo) u,   u ~ U[0, 1)
    /// ```
    ///
    /// - **Shapes**: `shape`, row by row, of type `dtype` on `device`.
    /// - **Range**: in [`lo`, `hi`]; drawn in f64, then rounded to `dtype`.
    /// - **Source**: the definition.
    ///
    /// # Errors
    ///
    /// `lo` > `hi`, or either is not finite.
    pub fn uniform(
        &mut self,
        shape: impl Into<Shape>,
        lo: f64,
        hi: f64,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        if !(lo.is_finite() && hi.is_finite() && lo <= hi) {
            return Err(Error::argument(
                "lo and hi",
                "finite numbers, lo ≤ hi",
                format!("{lo} and {hi}"),
            ));
        }
        self.tensor(shape.into(), dtype, device, |generator| {
            lo + (hi - lo) * generator.random::<f64>()
        })
    }

    /// A tensor of independent random numbers with a normal distribution.
    ///
    /// ```text
    /// x = mean + std · ε,   ε ~ N(0, 1)
    /// ```
    ///
    /// - **Shapes**: `shape`, row by row, of type `dtype` on `device`.
    /// - **Range**: unbounded; drawn in f64, then rounded to `dtype`.
    /// - **Source**: the definition.
    ///
    /// # Errors
    ///
    /// `std` negative, or `mean` or `std` not finite.
    pub fn normal(
        &mut self,
        shape: impl Into<Shape>,
        mean: f64,
        std: f64,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        if !(mean.is_finite() && std.is_finite() && std >= 0.) {
            return Err(Error::argument(
                "mean and std",
                "a finite mean and a finite std ≥ 0",
                format!("{mean} and {std}"),
            ));
        }
        self.tensor(shape.into(), dtype, device, |generator| {
            mean + std * generator.sample::<f64, _>(StandardNormal)
        })
    }

    fn tensor(
        &mut self,
        shape: Shape,
        dtype: DType,
        device: &Device,
        mut draw: impl FnMut(&mut ChaCha8Rng) -> f64,
    ) -> Result<Tensor> {
        let values: Vec<f64> = (0..shape.elem_count())
            .map(|_| draw(&mut self.generator))
            .collect();
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?
            .to_dtype(dtype)?
            .to_device(device)?)
    }

    /// 64 random bits, for the seed of another library.
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }
}

/// The number of independent products in [`bits`], so that a processor can have some under way.
const LANES: usize = 8;

/// All bits of a tensor's numbers, mixed: a digest for telling batches apart, 20 times as fast as
/// SHA-256. It has only whole numbers in it, so no processor rounds it.
fn bits(tensor: &Tensor) -> Result<[u64; LANES]> {
    let flat = tensor.detach().flatten_all()?;
    Ok(match tensor.dtype() {
        DType::U32 => mixed(&flat.to_vec1::<u32>()?, |number| u64::from(*number)),
        DType::F32 => mixed(&flat.to_vec1::<f32>()?, |number| {
            u64::from(number.to_bits())
        }),
        _ => mixed(&flat.to_dtype(DType::F64)?.to_vec1::<f64>()?, |number| {
            number.to_bits()
        }),
    })
}

/// A multiplicative hash of every eighth number for each of eight lanes.
fn mixed<T>(numbers: &[T], word: impl Fn(&T) -> u64) -> [u64; LANES] {
    // 2⁶⁴ divided by the golden ratio, odd.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut lanes = [numbers.len() as u64; LANES];
    for block in numbers.chunks(LANES) {
        for (lane, number) in lanes.iter_mut().zip(block) {
            *lane = (lane.rotate_left(5) ^ word(number)).wrapping_mul(FACTOR);
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_numbers_and_streams_do_not_meet() {
        let mut a = Rng::new(7);
        let first = a.bits();
        assert_eq!(first, Rng::new(7).bits());
        assert_ne!(first, Rng::new(8).bits());
        // A stream depends on the seed and its name, not on what was drawn before.
        assert_eq!(
            a.stream("weights").bits(),
            Rng::new(7).stream("weights").bits()
        );
        assert_ne!(a.stream("weights").bits(), a.stream("shuffle").bits());
        assert_ne!(a.stream("weights").bits(), first);
    }

    #[test]
    fn permutation_holds_every_number_once() {
        for n in [0, 1, 2, 257] {
            let mut order = Rng::new(1).permutation(n);
            order.sort_unstable();
            assert_eq!(order, (0..n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn moments_are_those_of_the_distribution() -> Result<()> {
        let n = 20_000;
        let mean = |t: &Tensor| -> Result<f64> { Ok(t.mean_all()?.to_scalar::<f64>()?) };
        let u = Rng::new(3).uniform(n, -1., 3., DType::F64, &Device::Cpu)?;
        let z = Rng::new(3).normal(n, 2., 0.5, DType::F64, &Device::Cpu)?;
        // Five standard errors: σ/√n is 1.155/141 and 0.5/141.
        assert!((mean(&u)? - 1.).abs() < 5. * 1.155 / 141.);
        assert!((mean(&z)? - 2.).abs() < 5. * 0.5 / 141.);
        assert!((mean(&(&z - 2.)?.sqr()?)? - 0.25).abs() < 0.02);
        let (lo, hi) = (
            u.min_all()?.to_scalar::<f64>()?,
            u.max_all()?.to_scalar::<f64>()?,
        );
        assert!((-1. ..=3.).contains(&lo) && (-1. ..=3.).contains(&hi));
        Ok(())
    }

    #[test]
    fn a_batch_has_numbers_of_its_own() -> Result<()> {
        let rng = Rng::new(3);
        let first = |numbers: &[f32]| -> Result<u64> {
            let tensor = Tensor::new(numbers, &Device::Cpu)?;
            Ok(rng.stream_of("noise", &[&tensor])?.bits())
        };
        let numbers: Vec<f32> = (0..40).map(|n| n as f32 / 8.).collect();
        let known = first(&numbers)?;
        assert_eq!(known, first(&numbers)?);
        // Any one bit, the order and the length count.
        for at in 0..numbers.len() {
            let mut other = numbers.clone();
            other[at] = f32::from_bits(other[at].to_bits() ^ 1);
            assert_ne!(known, first(&other)?, "{at}");
        }
        let turned: Vec<f32> = numbers.iter().rev().copied().collect();
        assert_ne!(known, first(&turned)?);
        assert_ne!(known, first(&numbers[..39])?);
        let tensor = Tensor::new(numbers.as_slice(), &Device::Cpu)?;
        assert_ne!(known, rng.stream_of("other", &[&tensor])?.bits());
        assert_ne!(known, rng.stream_of("noise", &[&tensor, &tensor])?.bits());
        Ok(())
    }

    #[test]
    fn bad_arguments_are_refused() {
        assert!(Rng::new(0).below(0).is_err());
        assert!(
            Rng::new(0)
                .uniform(2, 1., 0., DType::F32, &Device::Cpu)
                .is_err()
        );
        assert!(
            Rng::new(0)
                .normal(2, 0., f64::NAN, DType::F32, &Device::Cpu)
                .is_err()
        );
    }
}
