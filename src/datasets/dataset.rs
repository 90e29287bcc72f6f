//! A data set: inputs with their labels.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use crate::checks::at_least_one;
use crate::device;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Labels above this are a mistake: each class has a name in memory.
const LARGEST_LABEL: i64 = 999_999;

/// Labelled inputs: what a network is trained on, tested with and attacked at.
///
/// A clone shares the tensors. [`Dataset::new`] makes one of two tensors.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The inputs, (N, …) of floats, N ≥ 1; images lie in \[0, 1\].
    pub inputs: Tensor,
    /// The labels, (N,) of u32, each below the number of classes.
    pub labels: Tensor,
    /// The names of the classes, in the order of their labels.
    pub classes: Arc<Vec<String>>,
}

/// A data set in two parts: one that networks are trained on, and one that they are tested with.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let params = RingsParams { points: 40, ..RingsParams::default() };
/// let split = datasets::entangled_rings(&params)?.dataset()?.split(0.25, 0)?;
/// assert_eq!((split.train.len(), split.test.len()), (30, 10));
/// assert_eq!(split.train.first(5)?.len(), 5);
/// assert_eq!(split.train.of_class("ring A")?.labels.max_all()?.to_scalar::<u32>()?, 0);
/// assert_eq!(split.train.batches(8)?.len(), 4);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Split {
    /// The part that networks are trained on.
    pub train: Dataset,
    /// The part that networks are tested with.
    pub test: Dataset,
}

impl Dataset {
    /// A data set of `inputs` (N, …) of floats and `labels` (N,) of integers, the classes named by
    /// their numbers: `0`, `1`, …
    ///
    /// # Errors
    ///
    /// No inputs, inputs that are not floats, or labels that are not one integer from 0 to 999,999
    /// for each input.
    ///
    /// # Examples
    ///
    /// ```
    /// use isopath::prelude::*;
    ///
    /// let corners = Tensor::new(&[[0f32, 0.], [1., 0.], [0., 1.], [1., 1.]], &Device::Cpu)?;
    /// let data = Dataset::new(corners, Tensor::new(&[0u32, 1, 1, 0], &Device::Cpu)?)?;
    /// let data = data.with_classes(["same", "different"])?;
    /// assert_eq!((data.len(), data.of_class("different")?.len()), (4, 2));
    /// # Ok::<(), isopath::Error>(())
    /// ```
    pub fn new(inputs: Tensor, labels: Tensor) -> Result<Self> {
        let n = match inputs.dims() {
            [n, ..] if *n > 0 => *n,
            dims => {
                return Err(Error::shape(
                    "Dataset",
                    "inputs",
                    "(N, …), N at least 1",
                    dims,
                ));
            }
        };
        if !inputs.dtype().is_float() {
            let got = format!("of {:?}", inputs.dtype());
            return Err(Error::argument("inputs", "floating-point numbers", got));
        }
        if labels.dims() != [n] {
            let expected = format!("({n},), one for each input");
            return Err(Error::shape("Dataset", "labels", expected, labels.dims()));
        }
        let integers = [DType::U8, DType::I16, DType::I32, DType::U32, DType::I64];
        if !integers.contains(&labels.dtype()) {
            let got = format!("of {:?}", labels.dtype());
            return Err(Error::argument(
                "labels",
                "integers of U8, I16, I32, U32 or I64",
                got,
            ));
        }
        // On the CPU, since not every device has every kernel for integers.
        let wide = labels.to_device(&Device::Cpu)?.to_dtype(DType::I64)?;
        let least = wide.min_all()?.to_scalar::<i64>()?;
        let largest = wide.max_all()?.to_scalar::<i64>()?;
        if least < 0 || largest > LARGEST_LABEL {
            let wrong = if least < 0 { least } else { largest };
            let expected = format!("from 0 to {LARGEST_LABEL}");
            return Err(Error::argument("labels", expected, wrong));
        }
        let labels = match labels.dtype() {
            DType::U32 => labels,
            _ => wide.to_dtype(DType::U32)?.to_device(labels.device())?,
        };
        let classes = largest + 1;
        let names = (0..classes).map(|class| class.to_string()).collect();
        Ok(Self {
            inputs,
            labels,
            classes: Arc::new(names),
        })
    }

    /// Names the classes of the data, in the order of their labels. There may be more classes than
    /// labels.
    ///
    /// # Errors
    /// A label without a name.
    pub fn with_classes(self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let largest = self.labels.max_all()?.to_scalar::<u32>()?;
        if names.len() <= largest as usize {
            let expected = format!(
                "at least {}, since the largest label is {largest}",
                largest + 1
            );
            return Err(Error::argument(
                "number of class names",
                expected,
                names.len(),
            ));
        }
        Ok(Self {
            classes: Arc::new(names),
            ..self
        })
    }

    /// The number N of inputs.
    pub fn len(&self) -> usize {
        self.inputs.dims().first().copied().unwrap_or(0)
    }

    /// Whether there are no inputs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `count` inputs; all, if there are fewer.
    ///
    /// # Errors
    /// `count` is 0.
    pub fn first(&self, count: usize) -> Result<Self> {
        self.range(0, count.min(self.len()))
    }

    /// The `count` inputs from row `start` on.
    ///
    /// # Errors
    /// `count` is 0, or there are fewer.
    pub fn range(&self, start: usize, count: usize) -> Result<Self> {
        let end = start.checked_add(count).filter(|end| *end <= self.len());
        if count == 0 || end.is_none() {
            let expected = format!("a start and a count ≥ 1 within the {} inputs", self.len());
            return Err(Error::argument(
                "range",
                expected,
                format!("{count} from {start} on"),
            ));
        }
        let part = |tensor: &Tensor| tensor.narrow(0, start, count);
        Ok(self.part(part(&self.inputs)?, part(&self.labels)?))
    }

    /// The inputs at some rows, in that order; a row may come twice.
    ///
    /// # Errors
    /// No rows, or a row that there is not.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        let within = |row: &usize| *row < self.len();
        if rows.is_empty() || !rows.iter().all(within) {
            let wrong = rows.iter().find(|row| !within(row));
            let got = wrong.map_or("none".to_string(), |row| row.to_string());
            let expected = format!("at least one row, each below {}", self.len());
            return Err(Error::argument("rows", expected, got));
        }
        let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let index = Tensor::new(rows, self.inputs.device())?;
        let picked = |tensor: &Tensor| device::select(tensor, &index, 0);
        Ok(self.part(picked(&self.inputs)?, picked(&self.labels)?))
    }

    /// The inputs of one class, by its name.
    ///
    /// # Errors
    /// There is no such class, or none of the inputs is of it.
    pub fn of_class(&self, name: &str) -> Result<Self> {
        let Some(class) = self.classes.iter().position(|class| class == name) else {
            let expected = format!("one of {}", self.classes.join(", "));
            return Err(Error::argument("class", expected, format!("{name:?}")));
        };
        let labels = self.labels.to_vec1::<u32>()?;
        let rows: Vec<usize> = (0..labels.len())
            .filter(|row| labels[*row] as usize == class)
            .collect();
        if rows.is_empty() {
            let got = format!("{name:?}, which has no inputs");
            return Err(Error::argument(
                "class",
                "a class with at least one input",
                got,
            ));
        }
        self.select(&rows)
    }

    /// The data in batches of `batch_size` consecutive inputs, the last one smaller if need be.
    ///
    /// # Errors
    /// `batch_size` is 0.
    pub fn batches(&self, batch_size: usize) -> Result<Vec<Self>> {
        at_least_one("batch_size", batch_size)?;
        let starts = (0..self.len()).step_by(batch_size);
        starts
            .map(|start| self.range(start, batch_size.min(self.len() - start)))
            .collect()
    }

    /// The same data with inputs of another shape, of as many numbers each: images (N, 28, 28)
    /// become the inputs of a fully connected network by `reshaped(&[784])`, and those of a
    /// convolution by `reshaped(&[1, 28, 28])`.
    ///
    /// # Errors
    /// `shape` has another number of elements than an input.
    pub fn reshaped(&self, shape: &[usize]) -> Result<Self> {
        let one = &self.inputs.dims()[1..];
        let count = |shape: &[usize]| {
            shape
                .iter()
                .try_fold(1usize, |n, size| n.checked_mul(*size))
        };
        if count(shape) != count(one) {
            let expected = format!("as many numbers as an input of {one:?}");
            return Err(Error::argument("shape", expected, format!("{shape:?}")));
        }
        let inputs = self.inputs.reshape([&[self.len()], shape].concat())?;
        Ok(self.part(inputs, self.labels.clone()))
    }

    /// The same data in an order drawn from `seed`.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn shuffled(&self, seed: u64) -> Result<Self> {
        self.select(&Rng::new(seed).stream("shuffle").permutation(self.len()))
    }

    /// The data [`shuffled`](Self::shuffled) and cut in two: `test_share` of it, rounded, for the
    /// test, the rest for training.
    ///
    /// # Errors
    /// A share that leaves nothing for one of the parts.
    pub fn split(&self, test_share: f64, seed: u64) -> Result<Split> {
        let test = (test_share * self.len() as f64).round();
        if !(test >= 1. && test < self.len() as f64) {
            let expected = format!(
                "a share of {} inputs that leaves some on both sides",
                self.len()
            );
            return Err(Error::argument("test_share", expected, test_share));
        }
        let (test, shuffled) = (test as usize, self.shuffled(seed)?);
        Ok(Split {
            train: shuffled.range(test, self.len() - test)?,
            test: shuffled.range(0, test)?,
        })
    }

    /// The same data on another device.
    ///
    /// # Errors
    ///
    /// The device is out of memory.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(self.part(
            self.inputs.to_device(device)?,
            self.labels.to_device(device)?,
        ))
    }

    /// Inputs and labels of the same classes, unchecked: for parts of this data set, or its inputs
    /// changed by an attack.
    pub(crate) fn part(&self, inputs: Tensor, labels: Tensor) -> Self {
        Self {
            inputs,
            labels,
            classes: self.classes.clone(),
        }
    }
}

impl Split {
    /// The same two parts on another device.
    ///
    /// # Errors
    ///
    /// The device is out of memory.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(Self {
            train: self.train.to_device(device)?,
            test: self.test.to_device(device)?,
        })
    }
}
