//! The layers of a network as steps on points in memory.

use rayon::prelude::*;

use super::kernel::{Kernel, Shape};
use super::memory::{Buffer, Memory};
use crate::error::{Error, Result};
use crate::models::Layer;
use crate::ops::Rows;

/// Step k computes result k + 1; result 0 is the point itself.
pub(super) struct Step {
    /// The number of the stage in the whole network.
    pub stage: usize,
    pub input: usize,
    /// The second argument of a sum, or what is added to a convolution.
    pub other: Option<usize>,
    pub kernel: Kernel,
    /// The layer that the kernel computes.
    pub layer: Layer,
}

/// All steps from a representation to the logits.
pub(super) struct Program {
    pub rows: Rows,
    pub steps: Vec<Step>,
    pub shapes: Vec<Shape>,
    /// The last step that reads each result; none for those that nobody reads.
    last_reader: Vec<Option<usize>>,
    pub output: usize,
}

impl Program {
    /// Of the layers of `stages`, the first of which has number `first`, on points of shape `dims`.
    ///
    /// # Errors
    /// A layer that reads its own or a later result, or shapes that do not fit.
    pub fn new(first: usize, stages: &[Vec<Layer>], dims: &[usize]) -> Result<Self> {
        let mut program = Self {
            rows: Rows::new()?,
            steps: Vec::new(),
            shapes: vec![Shape::of(dims)],
            last_reader: Vec::new(),
            output: 0,
        };
        for (place, layers) in stages.iter().enumerate() {
            // Which result of the program each result of the stage is.
            let mut numbers = vec![program.output];
            for at in 0..layers.len() {
                let number = program.push(first + place, layers, at, &numbers)?;
                numbers.push(number);
                program.output = number;
            }
        }
        let shape = &program.shapes[program.output];
        if shape.dims.len() != 1 {
            let expected = "(classes,) for each point";
            return Err(Error::shape("exact", "logits", expected, &shape.dims));
        }
        program.last_reader = (0..program.shapes.len())
            .map(|number| {
                let reads =
                    |step: &Step| step.input == number || step.other.is_some_and(|at| at == number);
                program.steps.iter().rposition(reads)
            })
            .collect();
        Ok(program)
    }

    /// Adds layer `at` of `layers`; the number of its result.
    fn push(
        &mut self,
        stage: usize,
        layers: &[Layer],
        at: usize,
        numbers: &[usize],
    ) -> Result<usize> {
        let layer = &layers[at];
        let read = |input: usize| {
            numbers.get(input).copied().ok_or_else(|| {
                let expected = format!("at most {at}, an earlier result, in layer {}", at + 1);
                Error::argument("input", expected, input)
            })
        };
        let input = read(layer.inputs().first().copied().unwrap_or(0))?;
        let shape = self.shapes[input].clone();
        let mut other = None;
        if let Layer::Sum { other: second, .. } = layer {
            let second = read(*second)?;
            if self.shapes[second].dims != shape.dims {
                let expected = format!("{:?}, that of the first argument", shape.dims);
                let dims = &self.shapes[second].dims;
                return Err(Error::shape("exact", "argument of a sum", expected, dims));
            }
            if let Some(number) = self.joined(layers, at, [input, second]) {
                return Ok(number);
            }
            other = Some(second);
        }
        let Some((kernel, dims)) = Kernel::of(layer, &shape)? else {
            return Ok(input);
        };
        self.steps.push(Step {
            stage,
            input,
            other,
            kernel,
            layer: layer.clone(),
        });
        self.shapes.push(Shape::of(&dims));
        Ok(self.steps.len())
    }

    /// Leaves the sum that is layer `at` to the convolution just before it, if nobody else reads that
    /// one's own result: its number.
    fn joined(&mut self, layers: &[Layer], at: usize, [a, b]: [usize; 2]) -> Option<usize> {
        let last = self.steps.len();
        let before = at.checked_sub(1).map(|before| &layers[before]);
        let is_map = matches!(
            before,
            Some(Layer::Convolution { .. } | Layer::Affine { .. })
        );
        // Result `at` is that of the layer before.
        let readers = layers.iter().flat_map(Layer::inputs);
        let is_read = layers[at].inputs().contains(&at);
        let alone = is_read && readers.filter(|number| *number == at).count() == 1;
        let other = if a == last { b } else { a };
        let step = self.steps.last_mut()?;
        if is_map && alone && step.other.is_none() && other < last && (a == last || b == last) {
            step.other = Some(other);
            return Some(last);
        }
        None
    }

    /// The steps that multiply: multiplications and additions of one point at a step.
    pub fn work(&self, step: usize) -> usize {
        match &self.steps[step].kernel {
            Kernel::Convolution(map) => map.work(),
            _ => 0,
        }
    }

    /// Whether a step after `step` reads result `number`, or it is the last.
    pub fn is_read_after(&self, number: usize, step: usize) -> bool {
        let read = self.last_reader[number].is_some_and(|last| last > step);
        read || number == self.output
    }

    /// The result of a step for all points of `input`, breakpoints or not.
    pub fn apply(&self, step: usize, input: &[f64], other: Option<&[f64]>, result: &mut [f64]) {
        if let Kernel::Convolution(map) = &self.steps[step].kernel {
            return map.run(input, other, result);
        }
        let [from, to] = self.images(step);
        let other = other.map(|other| other.par_chunks(from));
        let rows = result.par_chunks_mut(to).zip(input.par_chunks(from));
        match other {
            Some(other) => rows.zip(other).for_each(|((result, input), other)| {
                self.apply_alone(step, input, Some(other), result);
            }),
            None => rows.for_each(|(result, input)| self.apply_alone(step, input, None, result)),
        }
    }

    /// The same on the calling thread.
    pub fn apply_alone(
        &self,
        step: usize,
        input: &[f64],
        other: Option<&[f64]>,
        result: &mut [f64],
    ) {
        let kernel = &self.steps[step].kernel;
        if let Kernel::Convolution(map) = kernel {
            return map.run_alone(input, other, result);
        }
        let [from, to] = [self.steps[step].input, step + 1].map(|at| self.shapes[at].pixels);
        let (rows, other) = (self.rows, other.unwrap_or(input));
        let points = result
            .chunks_mut(to.image())
            .zip(input.chunks(from.image()))
            .zip(other.chunks(from.image()));
        for ((result, input), other) in points {
            match kernel {
                Kernel::Convolution(_) => {}
                Kernel::Means(means) => means.run(from, input, result),
                Kernel::Normalise { mean, std } => rows.normalise(input, mean, std, result),
                Kernel::Sum => rows.sum(input, other, result),
                Kernel::Flatten => {
                    let numbers = &mut result[to.pitch()..][..from.count()];
                    rows.put(from, input, numbers);
                }
                Kernel::Relu => rows.relu(input, result),
                Kernel::Largest(windows) => windows.largest(from, input, result),
            }
        }
    }

    /// Numbers of one point's argument and result.
    fn images(&self, step: usize) -> [usize; 2] {
        [self.steps[step].input, step + 1].map(|at| self.shapes[at].pixels.image())
    }

    /// A point's numbers, row by row, as the steps take them.
    pub fn laid(&self, numbers: &[f64]) -> Vec<f64> {
        let pixels = self.shapes[0].pixels;
        let mut laid = vec![0.; pixels.image()];
        self.rows.lay(pixels, numbers, &mut laid);
        laid
    }

    /// The logits of each of so many points among `results`, the rows of the last result.
    pub fn rows_of_logits<'a>(&self, results: &'a [f64]) -> impl Iterator<Item = &'a [f64]> {
        let pixels = self.shapes[self.output].pixels;
        let image = results.chunks(pixels.image());
        image.map(move |image| &image[pixels.pitch()..][..pixels.channels])
    }

    /// The logits of `count` points, each evaluated for itself.
    pub fn logits(&self, points: &[f64], count: usize) -> Vec<f64> {
        let mut memory = Memory::new(count);
        let mut results = vec![Some(Buffer::from(points.to_vec()))];
        for (number, step) in self.steps.iter().enumerate() {
            let mut result = memory.take(self.shapes[number + 1].pixels, count);
            let read = |at: usize| results.get(at).and_then(Option::as_deref);
            let input = read(step.input).unwrap_or_default();
            self.apply(number, input, step.other.and_then(read), &mut result);
            results.push(Some(result));
            for at in 0..=number {
                if !self.is_read_after(at, number)
                    && let Some(result) = results.get_mut(at).and_then(Option::take)
                {
                    memory.give(result);
                }
            }
        }
        let last = results.get(self.output).and_then(Option::as_deref);
        let rows = self.rows_of_logits(last.unwrap_or_default());
        rows.flatten().copied().collect()
    }
}
