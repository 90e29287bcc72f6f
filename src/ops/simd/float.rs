//! The two number types that the kernels compute in, f32 and f64.

use candle_core::{CpuStorage, WithDType};
use pulp::Simd;

use super::exp::exp;
use super::tanh::tanh;

/// f32 or f64, one at a time and in vectors. `mul_add` rounds once where the processor can, twice
/// elsewhere.
pub(in crate::ops) trait Float: WithDType + Into<f64> {
    type Vector<S: Simd>: Copy;

    /// The numbers of a storage of this type.
    fn of_storage_mut(storage: &mut CpuStorage) -> Option<&mut [Self]>;
    /// The same numbers, if they are f32.
    fn singles(numbers: &[Self]) -> Option<&[f32]>;
    fn singles_mut(numbers: &mut [Self]) -> Option<&mut [f32]>;
    fn root(self) -> Self;
    fn log(self) -> Self;
    /// eˣ of x ≤ 0.
    fn exp_to_one(self) -> Self;
    fn hyperbolic_tangent(self) -> Self;
    /// The numbers of a vector.
    fn lanes<S: Simd>() -> usize;
    /// `values` in vectors, without a last incomplete one.
    fn vectors<S: Simd>(values: &[Self]) -> &[Self::Vector<S>];
    fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [Self::Vector<S>];
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn times<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn over<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// a·b + c.
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    fn sqrt<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S>;
    /// `a`, or 0 where it is below. A NaN stays one.
    fn relu<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S>;
    /// `value`, but 0 where `at` is not above 0.
    fn where_positive<S: Simd>(
        simd: S,
        at: Self::Vector<S>,
        value: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// `value`, but 0 where `at` is 0.
    fn zero_where_zero<S: Simd>(
        simd: S,
        at: Self::Vector<S>,
        value: Self::Vector<S>,
    ) -> Self::Vector<S>;
    fn sum_across<S: Simd>(simd: S, a: Self::Vector<S>) -> Self;
}

macro_rules! float {
    ($t:ident, $vector:ident, $lanes:ident, $as:ident, $as_mut:ident, $splat:ident, $add:ident, $sub:ident, $mul:ident, $div:ident,
     $mul_add:ident, $sqrt:ident, $equal:ident, $less:ident, $select:ident, $sum:ident, $exp:path, $tanh:path, $storage:ident,
     $singles:expr, $singles_mut:expr) => {
        impl Float for $t {
            type Vector<S: Simd> = S::$vector;

            fn of_storage_mut(storage: &mut CpuStorage) -> Option<&mut [Self]> {
                match storage {
                    CpuStorage::$storage(numbers) => Some(numbers),
                    _ => None,
                }
            }
            fn singles(numbers: &[Self]) -> Option<&[f32]> {
                $singles(numbers)
            }
            fn singles_mut(numbers: &mut [Self]) -> Option<&mut [f32]> {
                $singles_mut(numbers)
            }
            #[inline(always)]
            fn root(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn log(self) -> Self {
                self.ln()
            }
            #[inline(always)]
            fn exp_to_one(self) -> Self {
                $exp(self)
            }
            #[inline(always)]
            fn hyperbolic_tangent(self) -> Self {
                $tanh(self)
            }
            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }
            #[inline(always)]
            fn vectors<S: Simd>(values: &[Self]) -> &[Self::Vector<S>] {
                S::$as(values).0
            }
            #[inline(always)]
            fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [Self::Vector<S>] {
                S::$as_mut(values).0
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S> {
                simd.$splat(value)
            }
            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                simd.$add(a, b)
            }
            #[inline(always)]
            fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                simd.$sub(a, b)
            }
            #[inline(always)]
            fn times<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                simd.$mul(a, b)
            }
            #[inline(always)]
            fn over<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                simd.$div(a, b)
            }
            #[inline(always)]
            fn mul_add<S: Simd>(
                simd: S,
                a: Self::Vector<S>,
                b: Self::Vector<S>,
                c: Self::Vector<S>,
            ) -> Self::Vector<S> {
                simd.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn sqrt<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S> {
                simd.$sqrt(a)
            }
            #[inline(always)]
            fn relu<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S> {
                let zero = simd.$splat(0.);
                simd.$select(simd.$less(a, zero), zero, a)
            }
            #[inline(always)]
            fn where_positive<S: Simd>(
                simd: S,
                at: Self::Vector<S>,
                value: Self::Vector<S>,
            ) -> Self::Vector<S> {
                let zero = simd.$splat(0.);
                simd.$select(simd.$less(zero, at), value, zero)
            }
            #[inline(always)]
            fn zero_where_zero<S: Simd>(
                simd: S,
                at: Self::Vector<S>,
                value: Self::Vector<S>,
            ) -> Self::Vector<S> {
                let zero = simd.$splat(0.);
                simd.$select(simd.$equal(at, zero), zero, value)
            }
            #[inline(always)]
            fn sum_across<S: Simd>(simd: S, a: Self::Vector<S>) -> Self {
                simd.$sum(a)
            }
        }
    };
}

#[inline(always)]
fn exp_to_one(x: f32) -> f32 {
    // A comparison keeps NaN.
    let within = if x < -87. { -87. } else { x };
    let power = exp(within);
    if x < -87. { 0. } else { power }
}

float!(
    f32,
    f32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    div_f32s,
    mul_add_e_f32s,
    sqrt_f32s,
    equal_f32s,
    less_than_f32s,
    select_f32s,
    reduce_sum_f32s,
    exp_to_one,
    tanh,
    F32,
    Some,
    Some
);
float!(
    f64,
    f64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    div_f64s,
    mul_add_e_f64s,
    sqrt_f64s,
    equal_f64s,
    less_than_f64s,
    select_f64s,
    reduce_sum_f64s,
    f64::exp,
    f64::tanh,
    F64,
    |_| None,
    |_| None
);
