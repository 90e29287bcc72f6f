//! Winograd's transforms in one direction, on vectors of channels.

use pulp::Simd;

use super::points::{A, B, G};
use super::shape::{KERNEL, READ, SIDE};
use crate::ops::simd::Float;

/// Numbers that the transforms multiply by.
pub(super) struct Factors<T: Float, S: Simd> {
    pub simd: S,
    a: T::Vector<S>,
    b: T::Vector<S>,
    minus_a: T::Vector<S>,
    minus_b: T::Vector<S>,
    minus_a2: T::Vector<S>,
    minus_b2: T::Vector<S>,
    /// −(A² + B²) and A² B².
    minus_sum: T::Vector<S>,
    product: T::Vector<S>,
    a2: T::Vector<S>,
    b2: T::Vector<S>,
    a3: T::Vector<S>,
    b3: T::Vector<S>,
    /// The first number of G's row of 0, and its rows of A and B.
    of_zero: T::Vector<S>,
    of_a: [T::Vector<S>; KERNEL],
    of_b: [T::Vector<S>; KERNEL],
}

impl<T: Float, S: Simd> Factors<T, S> {
    #[inline(always)]
    pub fn new(simd: S) -> Self {
        let of = |number: f64| T::splat(simd, T::from_f64(number));
        Self {
            simd,
            a: of(A),
            b: of(B),
            minus_a: of(-A),
            minus_b: of(-B),
            minus_a2: of(-A * A),
            minus_b2: of(-B * B),
            minus_sum: of(-A * A - B * B),
            product: of(A * A * B * B),
            a2: of(A * A),
            b2: of(B * B),
            a3: of(A * A * A),
            b3: of(B * B * B),
            of_zero: of(G[0][0]),
            of_a: three!(x => of(G[1][x])),
            of_b: three!(x => of(G[3][x])),
        }
    }

    #[inline(always)]
    pub fn zero(&self) -> T::Vector<S> {
        T::splat(self.simd, T::zero())
    }

    /// Bᵀ x: row i has the coefficients of ∏_(j ≠ i) (t − t_j) over the finite points t_j, and that
    /// of ∞ those of the product of all.
    #[inline(always)]
    pub fn read(&self, x: [T::Vector<S>; READ]) -> [T::Vector<S>; READ] {
        let [even_a, odd_a] = [
            self.add(self.minus_b2, x[2], x[4]),
            self.add(self.minus_b2, x[1], x[3]),
        ];
        let [even_b, odd_b] = [
            self.add(self.minus_a2, x[2], x[4]),
            self.add(self.minus_a2, x[1], x[3]),
        ];
        [
            self.add(self.product, x[0], self.add(self.minus_sum, x[2], x[4])),
            self.add(self.a, odd_a, even_a),
            self.add(self.minus_a, odd_a, even_a),
            self.add(self.b, odd_b, even_b),
            self.add(self.minus_b, odd_b, even_b),
            self.add(self.product, x[1], self.add(self.minus_sum, x[3], x[5])),
        ]
    }

    /// Aᵀ m: row i has the powers t_jⁱ, and that of ∞ is 1 in the last.
    #[inline(always)]
    pub fn write(&self, m: [T::Vector<S>; READ]) -> [T::Vector<S>; SIDE] {
        let simd = self.simd;
        let (sum_a, difference_a) = (T::plus(simd, m[1], m[2]), T::minus(simd, m[1], m[2]));
        let (sum_b, difference_b) = (T::plus(simd, m[3], m[4]), T::minus(simd, m[3], m[4]));
        [
            T::plus(simd, m[0], T::plus(simd, sum_a, sum_b)),
            self.add(self.b, difference_b, T::times(simd, self.a, difference_a)),
            self.add(self.b2, sum_b, T::times(simd, self.a2, sum_a)),
            self.add(self.b3, difference_b, self.add(self.a3, difference_a, m[5])),
        ]
    }

    /// A y, the transposed of [`Factors::write`].
    #[inline(always)]
    pub fn spread(&self, y: [T::Vector<S>; SIDE]) -> [T::Vector<S>; READ] {
        let simd = self.simd;
        let (even_a, odd_a) = (
            self.add(self.a2, y[2], y[0]),
            self.add(self.a3, y[3], T::times(simd, self.a, y[1])),
        );
        let (even_b, odd_b) = (
            self.add(self.b2, y[2], y[0]),
            self.add(self.b3, y[3], T::times(simd, self.b, y[1])),
        );
        [
            y[0],
            T::plus(simd, even_a, odd_a),
            T::minus(simd, even_a, odd_a),
            T::plus(simd, even_b, odd_b),
            T::minus(simd, even_b, odd_b),
            y[3],
        ]
    }

    /// Gᵀ m.
    #[inline(always)]
    pub fn taps(&self, m: [T::Vector<S>; READ]) -> [T::Vector<S>; KERNEL] {
        let simd = self.simd;
        let (sum_a, difference_a) = (T::plus(simd, m[1], m[2]), T::minus(simd, m[1], m[2]));
        let (sum_b, difference_b) = (T::plus(simd, m[3], m[4]), T::minus(simd, m[3], m[4]));
        let (of_a, of_b) = (self.of_a, self.of_b);
        let first = self.add(of_b[0], sum_b, T::times(simd, of_a[0], sum_a));
        let second = T::times(simd, of_a[1], difference_a);
        [
            self.add(self.of_zero, m[0], first),
            self.add(of_b[1], difference_b, second),
            self.add(of_b[2], sum_b, self.add(of_a[2], sum_a, m[5])),
        ]
    }

    #[inline(always)]
    fn add(&self, factor: T::Vector<S>, x: T::Vector<S>, sum: T::Vector<S>) -> T::Vector<S> {
        T::mul_add(self.simd, factor, x, sum)
    }
}
