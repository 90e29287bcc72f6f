//! Convolution of points in plain memory.

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::error::Result;
use crate::ops::convolution::panels::Panels;
use crate::ops::convolution::pass::{Pass, images_of_a_task};
use crate::ops::convolution::pixels::Pixels;
use crate::ops::convolution::product::After;
use crate::ops::convolution::steps::Direction;
use crate::ops::convolution::{Conv2dParams, geometry};

/// A convolution with its bias, of points of one shape; the same numbers whatever the number of
/// points and threads.
pub(crate) struct LaidConvolution {
    pass: Pass<f64>,
    bias: Option<Vec<f64>>,
    output: [usize; 2],
    /// Multiplications and additions of one point.
    work: usize,
}

impl LaidConvolution {
    /// Of points (C, H, W) = `shape` that are not empty.
    ///
    /// # Errors
    /// As [`conv2d`](crate::ops::conv2d()).
    pub fn new(
        shape: [usize; 3],
        weight: &Tensor,
        bias: Option<&Tensor>,
        params: &Conv2dParams,
    ) -> Result<Self> {
        let [channels, height, width] = shape;
        let host = |tensor: &Tensor| -> Result<Tensor> {
            let tensor = tensor.detach().to_device(&Device::Cpu)?;
            Ok(tensor.to_dtype(DType::F64)?.contiguous()?)
        };
        let weight = host(weight)?;
        let bias = bias.map(host).transpose()?;
        let dims = [1, channels, height, width];
        let geometry = geometry(&dims, DType::F64, &weight, bias.as_ref(), params)?;
        let numbers = weight.flatten_all()?.to_vec1::<f64>()?;
        let panels = Panels::new(&geometry, Direction::Forward, &numbers)?;
        let pass = Pass::new(&geometry, Direction::Forward, panels.into())?;
        let bias = bias.map(|bias| bias.to_vec1::<f64>()).transpose()?;
        Ok(Self {
            bias: bias.map(|bias| pass.result.padded(&bias)),
            output: geometry.output,
            work: 2 * numbers.len() * geometry.output_area(),
            pass,
        })
    }

    /// The sizes of a point's result.
    pub fn result(&self) -> Pixels {
        self.pass.result
    }

    /// Height and width of the result.
    pub fn output(&self) -> [usize; 2] {
        self.output
    }

    /// The multiplications and additions for one point.
    pub fn work(&self) -> usize {
        self.work
    }

    /// The results of all points of `source`, with `residual` added to them.
    pub fn run(&self, source: &[f64], residual: Option<&[f64]>, result: &mut [f64]) {
        let (from, to) = (self.pass.source.image(), self.pass.result.image());
        let points = source.len() / from;
        let threads = rayon::current_num_threads();
        if points < threads {
            let after = self.after(residual);
            return self.pass.run_in_parallel(points, source, result, after);
        }
        let task = images_of_a_task(points, threads);
        result
            .par_chunks_mut(task * to)
            .zip(source.par_chunks(task * from))
            .enumerate()
            .for_each(|(number, (result, source))| {
                let residual = residual.map(|residual| &residual[number * task * to..]);
                self.run_alone(source, residual, result);
            });
    }

    /// The same on the calling thread.
    pub fn run_alone(&self, source: &[f64], residual: Option<&[f64]>, result: &mut [f64]) {
        let points = source.len() / self.pass.source.image();
        self.pass.run(points, source, result, self.after(residual));
    }

    fn after<'a>(&'a self, residual: Option<&'a [f64]>) -> After<'a, f64> {
        After {
            bias: self.bias.as_deref(),
            residual,
            relu: false,
        }
    }
}
