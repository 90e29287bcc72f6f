//! Loops over the numbers of one point or of two neighbours.

use pulp::{Arch, Simd, WithSimd};

use super::{LANES, Pixels};
use crate::error::Result;
use crate::ops::planes::between;
use crate::ops::simd::{self, vectorised};

/// Loops over a point's numbers, with the widest vectors of the processor. All slices of a call have
/// one length, a multiple of [`LANES`].
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    arch: Arch,
}

/// Numbers that are looked through at a time for a change of sign.
const BLOCK: usize = 4 * LANES;

impl Rows {
    /// # Errors
    /// `ISOPATH_SIMD` asks for vectors that the processor does not have.
    pub fn new() -> Result<Self> {
        Ok(Self {
            arch: simd::arch()?,
        })
    }

    /// Lays points, channel by channel in `planes`, as [`Pixels`] says, each after a pixel of zeros.
    pub fn lay(self, pixels: Pixels, planes: &[f64], points: &mut [f64]) {
        pixels.lay(self.arch, planes, points);
    }

    /// The opposite of [`Rows::lay`].
    pub fn put(self, pixels: Pixels, points: &[f64], planes: &mut [f64]) {
        pixels.put(self.arch, points, planes);
    }

    /// to = (1 − share) a + share b.
    pub fn between(self, a: &[f64], b: &[f64], share: f64, to: &mut [f64]) {
        between(self.arch, [a, b], share, to);
    }

    /// to = max((1 − share) a + share b, 0).
    pub fn relu_between(self, a: &[f64], b: &[f64], share: f64, to: &mut [f64]) {
        vectorised!(self.arch, {
            let other = 1. - share;
            for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
                *to = positive(other * a + share * b);
            }
        });
    }

    /// to = max(a, 0).
    pub fn relu(self, a: &[f64], to: &mut [f64]) {
        vectorised!(self.arch, {
            for (to, a) in to.iter_mut().zip(a) {
                *to = positive(*a);
            }
        });
    }

    /// to = a + b.
    pub fn sum(self, a: &[f64], b: &[f64], to: &mut [f64]) {
        vectorised!(self.arch, {
            for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
                *to = a + b;
            }
        });
    }

    /// to = (a − mean) / std.
    pub fn normalise(self, a: &[f64], mean: &[f64], std: &[f64], to: &mut [f64]) {
        vectorised!(self.arch, {
            for (((to, a), mean), std) in to.iter_mut().zip(a).zip(mean).zip(std) {
                *to = (a - mean) / std;
            }
        });
    }

    /// Adds to `places` where a and b have opposite signs, neither being 0, in order.
    pub fn sign_changes(self, a: &[f64], b: &[f64], places: &mut Vec<u32>) {
        self.arch.dispatch(SignChanges { a, b, places });
    }
}

/// [`Rows::sign_changes`]; the compiler does not make a closure of it that takes wide vectors.
struct SignChanges<'a> {
    a: &'a [f64],
    b: &'a [f64],
    places: &'a mut Vec<u32>,
}

impl WithSimd for SignChanges<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { a, b, places } = self;
        for (block, (a, b)) in a.chunks(BLOCK).zip(b.chunks(BLOCK)).enumerate() {
            if any_change(a, b) {
                for (at, (a, b)) in a.iter().zip(b).enumerate() {
                    if changes(*a, *b) {
                        places.push((block * BLOCK + at) as u32);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn positive(value: f64) -> f64 {
    if value < 0. { 0. } else { value }
}

/// The product of two numbers below 1e-154 may be 0: they count as 0.
#[inline(always)]
fn changes(a: f64, b: f64) -> bool {
    a * b < 0.
}

#[inline(always)]
fn any_change(a: &[f64], b: &[f64]) -> bool {
    let mut lowest = [0f64; LANES];
    let (a, b) = (a.as_chunks::<LANES>().0, b.as_chunks::<LANES>().0);
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            let product = a[lane] * b[lane];
            lowest[lane] = if product < lowest[lane] {
                product
            } else {
                lowest[lane]
            };
        }
    }
    lowest.iter().any(|lowest| *lowest < 0.)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_sign_are_found_where_they_are() -> Result<()> {
        let (mut a, mut b) = ([1.; 160], [2.; 160]);
        for (at, from, to) in [
            (0, -1., 3.),
            (17, 1., -1e-9),
            (63, 0., -1.),
            (64, -1., -2.),
            (65, -1., 0.),
            (159, 1e-3, -4.),
        ] {
            (a[at], b[at]) = (from, to);
        }
        let mut places = Vec::new();
        Rows::new()?.sign_changes(&a, &b, &mut places);
        assert_eq!(places, [0, 17, 159]);
        Ok(())
    }
}
