//! Matrix products of middling size on several threads.
//!
//! The `gemm` library under candle deals each block of 256 terms to all threads and waits for them
//! each time, which costs more than it saves where a block takes some tens of microseconds. Here
//! such products are halved once, by rows.

use std::sync::Once;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::narrow;

/// Multiplications from which a product is worth two threads.
const WORTH_HALVING: usize = 300_000;
/// Multiplications each from which two products are worth a thread each.
const WORTH_BESIDE: usize = 200_000;
/// Multiplications a block from which `gemm` may use its own threads.
const WORTH_THREADS: usize = 4_000_000;
/// The terms of a block.
const TERMS: usize = 256;

/// a·b, (M, K)·(K, N), of any strides; not differentiable. The same numbers on any number of
/// threads.
pub(super) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.apply_op2_no_bwd(b, &Product { halve: true })
}

/// a·b and c·d as [`product`]s, one beside the other if that is worth it: then none of the two is
/// halved.
pub(super) fn both(a: &Tensor, b: &Tensor, c: &Tensor, d: &Tensor) -> Result<(Tensor, Tensor)> {
    let work = a.elem_count() * b.dims2()?.1;
    if work < WORTH_BESIDE {
        return Ok((product(a, b)?, product(c, d)?));
    }
    let whole = Product { halve: false };
    let (first, second) = rayon::join(
        || a.apply_op2_no_bwd(b, &whole),
        || c.apply_op2_no_bwd(d, &whole),
    );
    Ok((first?, second?))
}

struct Product {
    halve: bool,
}

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((rows, _), (_, columns)) = (la.shape().dims2()?, lb.shape().dims2()?);
        let product = if self.halve {
            of_storage(a, la, b, lb, &|_| Ok(()))?
        } else {
            whole(a, la, b, lb)?
        };
        Ok((product, Shape::from((rows, columns))))
    }
}

/// a·b on one thread, unless `gemm` takes more.
fn whole(a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<CpuStorage> {
    static THRESHOLD: Once = Once::new();
    THRESHOLD.call_once(|| gemm::set_threading_threshold(WORTH_THREADS));

    let narrow = match (a, b) {
        (CpuStorage::F32(a), CpuStorage::F32(b)) => {
            narrow::product(a, la, b, lb)?.map(CpuStorage::F32)
        }
        (CpuStorage::F64(a), CpuStorage::F64(b)) => {
            narrow::product(a, la, b, lb)?.map(CpuStorage::F64)
        }
        _ => None,
    };
    let ((rows, terms), (_, columns)) = (la.shape().dims2()?, lb.shape().dims2()?);
    narrow.map_or_else(|| a.matmul(b, (1, rows, columns, terms), la, lb), Ok)
}

/// a·b by rows; `finish` is applied to each piece of some whole rows, on its thread.
pub(super) fn of_storage(
    a: &CpuStorage,
    la: &Layout,
    b: &CpuStorage,
    lb: &Layout,
    finish: &(impl Fn(&mut CpuStorage) -> Result<()> + Sync),
) -> Result<CpuStorage> {
    let ((rows, terms), (_, columns)) = (la.shape().dims2()?, lb.shape().dims2()?);
    let piece = |first: usize, rows: usize| {
        let mut piece = whole(a, &la.narrow(0, first, rows)?, b, lb)?;
        finish(&mut piece)?;
        Ok(piece)
    };
    let by_gemm = rows * terms.min(TERMS) * columns >= WORTH_THREADS;
    if rows < 2 || rows * terms * columns < WORTH_HALVING || by_gemm {
        return piece(0, rows);
    }
    let middle = rows / 2;
    let (first, second) = rayon::join(|| piece(0, middle), || piece(middle, rows - middle));
    match (first?, second?) {
        (CpuStorage::F32(mut first), CpuStorage::F32(second)) => {
            first.extend_from_slice(&second);
            Ok(CpuStorage::F32(first))
        }
        (CpuStorage::F64(mut first), CpuStorage::F64(second)) => {
            first.extend_from_slice(&second);
            Ok(CpuStorage::F64(first))
        }
        (first, _) => bail!("product: expected f32 or f64, got {:?}", first.dtype()),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::rng::Rng;

    /// Left whole, halved, and left to gemm's threads; of rows that lie in order and of rows that
    /// do not.
    #[test]
    fn halved_or_not_it_is_the_product() {
        let random = |shape: (usize, usize), name: &str| {
            Rng::new(2)
                .stream(name)
                .normal(shape, 0., 1., DType::F64, &Device::Cpu)
                .unwrap()
        };
        let on = |threads: usize, a: &Tensor, b: &Tensor| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| product(a, b))
                .unwrap()
                .to_vec2::<f64>()
                .unwrap()
        };
        // The second and the last three are narrow: many rows, many terms, and some of all.
        let shapes = [
            (1, 5, 300),
            (17, 9, 4),
            (101, 90, 70),
            (3, 700, 300),
            (150, 200, 150),
        ];
        for (rows, terms, columns) in
            shapes
                .into_iter()
                .chain([(2001, 20, 17), (19, 2001, 21), (5, 130, 1)])
        {
            let (a, b) = (random((rows, terms), "a"), random((terms, columns), "b"));
            let (strided, one) = (
                a.t().unwrap().contiguous().unwrap().t().unwrap(),
                on(1, &a, &b),
            );
            assert!(one == on(2, &a, &b) && one == on(3, &a, &b));
            // 2001 products of size one, rounded to 1e-16 and summed in another order.
            let expected = a.matmul(&b).unwrap().to_vec2::<f64>().unwrap();
            for product in [one, on(2, &strided, &b)] {
                let pairs = product.iter().flatten().zip(expected.iter().flatten());
                assert!(
                    pairs
                        .into_iter()
                        .all(|(got, expected)| (got - expected).abs() < 1e-11)
                );
            }
        }
    }
}
