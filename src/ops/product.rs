//! Matrix products of middling size on several threads.
//!
//! The `gemm` library under candle deals each block of 256 terms to all threads and waits for them each time, which costs
//! more than it saves where a block takes some tens of microseconds. Here such products are halved once, by rows.

use std::sync::Once;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// Multiplications from which a product is worth two threads.
pub(super) const WORTH_HALVING: usize = 500_000;
/// Multiplications a block from which `gemm` may use its own threads.
const WORTH_THREADS: usize = 4_000_000;
/// The terms of a block.
const TERMS: usize = 256;

/// a·b, (M, K)·(K, N), of any strides; not differentiable. The same numbers on any number of threads.
pub(super) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.apply_op2_no_bwd(b, &Product)
}

struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((rows, _), (_, columns)) = (la.shape().dims2()?, lb.shape().dims2()?);
        Ok((of_storage(a, la, b, lb, &|_| Ok(()))?, Shape::from((rows, columns))))
    }
}

/// a·b by rows; `finish` is applied to each piece of some whole rows, on its thread.
pub(super) fn of_storage(
    a: &CpuStorage,
    la: &Layout,
    b: &CpuStorage,
    lb: &Layout,
    finish: &(impl Fn(&mut CpuStorage) -> Result<()> + Sync),
) -> Result<CpuStorage> {
    static THRESHOLD: Once = Once::new();
    THRESHOLD.call_once(|| gemm::set_threading_threshold(WORTH_THREADS));

    let ((rows, terms), (_, columns)) = (la.shape().dims2()?, lb.shape().dims2()?);
    let piece = |first: usize, rows: usize| {
        let mut piece = a.matmul(b, (1, rows, columns, terms), &la.narrow(0, first, rows)?, lb)?;
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
