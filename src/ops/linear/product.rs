//! Matrix products of middling size on several threads.
//!
//! The `gemm` library of candle splits each block of 256 terms over all threads and waits for them
//! each time. That costs more than it saves if a block takes some tens of microseconds. Here such a
//! product is split once, by rows.

use std::sync::{Once, OnceLock};

use candle_core::{CpuStorage, Layout, Result, Shape, Tensor, bail};

use super::narrow;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::operation::Operation;
use crate::ops::simd::Float;

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
pub(crate) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    [a, b].apply_detached(Product { halve: true })
}

/// a·b and c·d as [`product`]s, one beside the other if that is worth it: then none of the two is
/// halved.
pub(super) fn both(a: &Tensor, b: &Tensor, c: &Tensor, d: &Tensor) -> Result<(Tensor, Tensor)> {
    let work = a.elem_count() * b.dims2()?.1;
    if work < WORTH_BESIDE {
        return Ok((product(a, b)?, product(c, d)?));
    }
    let whole = |a: &Tensor, b: &Tensor| [a, b].apply_detached(Product { halve: false });
    let (first, second) = rayon::join(|| whole(a, b), || whole(c, d));
    Ok((first?, second?))
}

struct Product {
    halve: bool,
}

impl Kernel<2> for Product {
    const STRIDED: bool = true;

    fn operation(&self) -> Operation {
        Operation::Linear
    }

    fn forward<T: Float>(&self, [a, b]: [Argument<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (a, b) = (Matrix::new(a), Matrix::new(b));
        let ((rows, _), (_, columns)) = (a.dims()?, b.dims()?);
        let product = if self.halve {
            by_rows(a, b, &|_: &mut [T]| ())?
        } else {
            whole(a, b)?
        };
        Ok((product, Shape::from((rows, columns))))
    }
}

/// A factor, of any strides.
#[derive(Clone)]
pub(super) struct Matrix<'a> {
    storage: &'a CpuStorage,
    layout: Layout,
}

impl<'a> Matrix<'a> {
    pub(super) fn new<T>(argument: Argument<'a, T>) -> Self {
        Self {
            storage: argument.storage,
            layout: argument.layout.clone(),
        }
    }

    /// All of `storage`, row by row.
    pub(super) fn of(storage: &'a CpuStorage, dims: (usize, usize)) -> Self {
        Self {
            storage,
            layout: Layout::contiguous(dims),
        }
    }

    pub(super) fn transposed(self) -> Result<Self> {
        let layout = self.layout.transpose(0, 1)?;
        Ok(Self { layout, ..self })
    }

    pub(super) fn rows(&self, first: usize, count: usize) -> Result<Self> {
        let layout = self.layout.narrow(0, first, count)?;
        Ok(Self { layout, ..*self })
    }

    fn dims(&self) -> Result<(usize, usize)> {
        self.layout.shape().dims2()
    }
}

/// a·b on one thread, unless `gemm` takes more.
pub(super) fn whole<T: Float>(a: Matrix, b: Matrix) -> Result<Vec<T>> {
    static THRESHOLD: Once = Once::new();
    THRESHOLD.call_once(|| gemm::set_threading_threshold(WORTH_THREADS));

    let ((rows, terms), (others, columns)) = (a.dims()?, b.dims()?);
    if terms == others && rows * terms * columns == 0 {
        // There may be no place in memory at which it begins.
        return Ok(vec![T::zero(); rows * columns]);
    }
    let (of_a, of_b) = (a.storage.as_slice::<T>()?, b.storage.as_slice::<T>()?);
    if let Some(product) = narrow::product(of_a, &a.layout, of_b, &b.layout)? {
        return Ok(product);
    }
    by_gemm((of_a, &a.layout), (of_b, &b.layout))
}

/// a·b by `gemm`, as candle calls it. But candle asks the system for its processors before each product,
/// which takes longer than a layer of a hundred units.
fn by_gemm<T: Float>((a, of_a): (&[T], &Layout), (b, of_b): (&[T], &Layout)) -> Result<Vec<T>> {
    static THREADS: OnceLock<usize> = OnceLock::new();
    let threads = *THREADS.get_or_init(candle_core::utils::get_num_threads);

    let ((rows, terms), (others, columns)) = (of_a.shape().dims2()?, of_b.shape().dims2()?);
    if terms != others {
        bail!("linear: {rows}×{terms} times {others}×{columns}; expected equal inner sizes")
    }
    let mut product = vec![T::zero(); rows * columns];
    let (a, b) = (inside(a, of_a)?, inside(b, of_b)?);
    let [a_rows, a_columns] = strides(of_a);
    let [b_rows, b_columns] = strides(of_b);
    #[expect(unsafe_code)]
    // SAFETY: `inside` has seen that all numbers of both factors lie in their memory; that of the result
    // is as large as the product, row by row, and is not read.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            terms,
            product.as_mut_ptr(),
            1,
            columns as isize,
            false,
            a.as_ptr(),
            a_columns,
            a_rows,
            b.as_ptr(),
            b_columns,
            b_rows,
            T::zero(),
            T::one(),
            false,
            false,
            false,
            match threads {
                1 => gemm::Parallelism::None,
                threads => gemm::Parallelism::Rayon(threads),
            },
        );
    }
    Ok(product)
}

/// Steps in memory from row to row and from column to column.
fn strides(layout: &Layout) -> [isize; 2] {
    std::array::from_fn(|axis| layout.stride()[axis] as isize)
}

/// The numbers from the first of a matrix on, if the last one is among them.
fn inside<'a, T>(numbers: &'a [T], layout: &Layout) -> Result<&'a [T]> {
    let steps = layout.dims().iter().zip(layout.stride());
    let last = steps
        .map(|(size, stride)| (size - 1) * stride)
        .sum::<usize>();
    match numbers.get(layout.start_offset()..) {
        Some(numbers) if last < numbers.len() => Ok(numbers),
        _ => bail!(
            "linear: a matrix of {} numbers that lies outside of its memory",
            last + 1
        ),
    }
}

/// a·b by rows; `finish` is applied to each piece of some whole rows, on its thread.
pub(super) fn by_rows<T: Float>(
    a: Matrix,
    b: Matrix,
    finish: &(impl Fn(&mut [T]) + Sync),
) -> Result<Vec<T>> {
    let ((rows, terms), (_, columns)) = (a.dims()?, b.dims()?);
    let piece = |first: usize, rows: usize| {
        let mut piece = whole(a.rows(first, rows)?, b.clone())?;
        finish(&mut piece);
        Ok(piece)
    };
    let by_gemm = rows * terms.min(TERMS) * columns >= WORTH_THREADS;
    if rows < 2 || rows * terms * columns < WORTH_HALVING || by_gemm {
        return piece(0, rows);
    }
    let middle = rows / 2;
    let (first, second) = rayon::join(|| piece(0, middle), || piece(middle, rows - middle));
    let mut product = first?;
    product.extend_from_slice(&second?);
    Ok(product)
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
