//! Numbers in any of the forms that an answer may have.

use std::error::Error;

use candle_core::{DType, Tensor};
use ndarray::{ArrayBase, Data, Dimension};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Numbers with their shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// The shape; [] is a single number.
    pub shape: Vec<usize>,
    /// The values, row by row.
    pub values: Vec<f64>,
}

/// What can be compared number by number: a number, a tensor, an array, or a list of any of these.
pub trait Values {
    /// The numbers.
    ///
    /// # Errors
    /// The rows of a list differ in their shapes, or a tensor cannot be read.
    fn numbers(&self) -> Result<Numbers>;
}

impl<T: Values + ?Sized> Values for &T {
    fn numbers(&self) -> Result<Numbers> {
        (**self).numbers()
    }
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl Values for $kind {
            fn numbers(&self) -> Result<Numbers> {
                Ok(Numbers { shape: vec![], values: vec![*self as f64] })
            }
        }
    )*};
}
number!(f64, f32, usize, u32, u8, i32, i64);

impl<T: Values> Values for [T] {
    fn numbers(&self) -> Result<Numbers> {
        let (mut of_row, mut values) = (vec![], vec![]);
        for (row, item) in self.iter().enumerate() {
            let item = item.numbers()?;
            if row == 0 {
                of_row = item.shape;
            } else if of_row != item.shape {
                let shape = item.shape;
                return Err(format!(
                    "row {row} has shape {shape:?}, the rows before it {of_row:?}"
                )
                .into());
            }
            values.extend(item.values);
        }
        let shape = std::iter::once(self.len()).chain(of_row).collect();
        Ok(Numbers { shape, values })
    }
}

impl<T: Values, const N: usize> Values for [T; N] {
    fn numbers(&self) -> Result<Numbers> {
        self.as_slice().numbers()
    }
}

impl<T: Values> Values for Vec<T> {
    fn numbers(&self) -> Result<Numbers> {
        self.as_slice().numbers()
    }
}

impl Values for Tensor {
    fn numbers(&self) -> Result<Numbers> {
        let values = self.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?;
        Ok(Numbers {
            shape: self.dims().to_vec(),
            values,
        })
    }
}

impl<T: Clone + Into<f64>, S: Data<Elem = T>, D: Dimension> Values for ArrayBase<S, D> {
    fn numbers(&self) -> Result<Numbers> {
        Ok(Numbers {
            shape: self.shape().to_vec(),
            values: self.iter().map(|value| value.clone().into()).collect(),
        })
    }
}
