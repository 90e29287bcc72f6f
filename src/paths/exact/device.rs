//! The steps as tensors, on a GPU: many points at a time, and a matrix product for each step that
//! multiplies.

use std::ops::ControlFlow;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::crossings::{Point, Sequence, sort};
use super::map::Map;
use super::params::ExactParams;
use super::program::Program;
use super::walk::{Engine, Found, borders, windows};
use crate::error::Result;
use crate::ops::{Between, Pixels, changes};

/// A result (points, pixels · channels) at the points that there were when it was computed. It is
/// linear between them.
#[derive(Clone)]
struct Kept {
    t: Arc<Vec<f64>>,
    rows: Tensor,
}

/// Points that go through the steps together, with the results that later steps read.
pub(super) struct Window {
    points: Vec<Point>,
    t: Arc<Vec<f64>>,
    results: Vec<(usize, Kept)>,
}

/// Points before a step with breakpoints, of which some windows have not gone on yet.
pub(super) struct Frame {
    step: usize,
    sequence: Sequence,
    rows: Tensor,
    results: Vec<(usize, Kept)>,
    windows: usize,
    next: usize,
}

/// Bytes of the largest tensor, unless two points have more: so few points go together where they are
/// large. (With 64 MB the first stage of the carried network takes twice the time.)
const LARGEST_BYTES: usize = 1 << 30;

/// The steps of a program on a device.
pub(super) struct OnDevice<'a> {
    program: &'a Program,
    maps: Vec<Map>,
    /// The ends, (2, numbers), or the one point.
    ends: Tensor,
    chunk: usize,
    /// Multiplications and additions so far.
    pub operations: f64,
}

impl<'a> OnDevice<'a> {
    /// On the device of the points, if that is a GPU.
    ///
    /// # Errors
    /// As [`OnDevice::new`].
    pub fn of(
        program: &'a Program,
        ends: [&Tensor; 2],
        params: &ExactParams,
    ) -> Result<Option<Self>> {
        match ends[0].device() {
            Device::Cpu => Ok(None),
            device => Self::new(program, ends, (params.chunk, device)),
        }
    }

    /// Between two points, each (1, …), with at most `chunk` points together; none if the program has
    /// a max pooling, which only the processor has steps for.
    ///
    /// # Errors
    /// Weights that cannot be copied to the device.
    pub fn new(
        program: &'a Program,
        [start, end]: [&Tensor; 2],
        (chunk, device): (usize, &Device),
    ) -> Result<Option<Self>> {
        let mut maps = Vec::new();
        for number in 0..program.steps.len() {
            match Map::of(program, number, device)? {
                Some(map) => maps.push(map),
                None => return Ok(None),
            }
        }
        let ends = Tensor::cat(&[start, &end.to_device(start.device())?], 0)?.detach();
        let ends = ends.to_device(device)?.to_dtype(DType::F64)?;
        let Pixels { area, channels } = program.shapes[0].pixels;
        let ends = ends.reshape((2, channels, area))?.transpose(1, 2)?;
        Ok(Some(Self {
            program,
            maps,
            ends: ends.contiguous()?.flatten_from(1)?,
            chunk,
            operations: 0.,
        }))
    }

    /// Points that go together through the steps from one with breakpoints to the next.
    fn chunk(&self, step: usize) -> usize {
        let steps = &self.program.steps;
        let more = steps.iter().skip(step + 1);
        let count = more
            .take_while(|step| !step.kernel.has_breakpoints())
            .count();
        let numbers = |step: usize| self.maps[step].numbers(self.program.shapes[step + 1].pixels);
        let largest = (step..=step + count).map(numbers).max().unwrap_or(1);
        self.chunk.min(LARGEST_BYTES / (8 * largest.max(1))).max(2)
    }

    /// Result `number` at the points of the window.
    fn at(&self, window: &Window, number: usize) -> Result<Tensor> {
        let found = window.results.iter().find(|(own, _)| *own == number);
        let Some((_, kept)) = found else {
            // A program reads only what it keeps.
            return Ok(Tensor::zeros(0, DType::F64, self.ends.device())?);
        };
        if Arc::ptr_eq(&kept.t, &window.t) {
            return Ok(kept.rows.clone());
        }
        let (before, share) = window.t.iter().map(|t| kept.place(*t)).unzip();
        let between = Between {
            before,
            share,
            relu: false,
            zeros: Vec::new(),
        };
        Ok(between.of(&kept.rows)?)
    }

    /// The result of a step for the points of a window.
    fn apply(&mut self, step: usize, window: &mut Window) -> Result<()> {
        let reads = &self.program.steps[step];
        let input = self.at(window, reads.input)?;
        let other = reads
            .other
            .map(|other| self.at(window, other))
            .transpose()?;
        let [from, to] = [reads.input, step + 1].map(|at| self.program.shapes[at].pixels);
        self.operations += self.program.work(step) as f64 * window.points.len() as f64;
        let rows = self.maps[step].run(&input, other.as_ref(), [from, to])?;
        window.keep(step + 1, rows);
        Ok(())
    }
}

impl Engine for OnDevice<'_> {
    type Window = Window;
    type Frame = Frame;

    fn start(&mut self, points: Vec<Point>) -> Result<Window> {
        let rows = self.ends.narrow(0, 0, points.len())?;
        let mut window = Window::new(points, Vec::new());
        window.keep(0, rows);
        Ok(window)
    }

    fn advance(&mut self, window: &mut Window, from: usize) -> Result<Option<Frame>> {
        let program = self.program;
        for step in from..program.steps.len() {
            if !program.steps[step].kernel.has_breakpoints() {
                self.apply(step, window)?;
                window.forget(program, step);
                continue;
            }
            let rows = self.at(window, program.steps[step].input)?;
            let mut found = vec![Vec::new(); window.points.len().saturating_sub(1)];
            for change in changes(&rows)? {
                found[change.row as usize].push((change.share, change.unit));
            }
            found.iter_mut().for_each(|found| sort(found));
            window.forget(program, step);
            let sequence = Sequence::of(program.steps[step].stage, &window.points, &found);
            return Ok(Some(Frame {
                step,
                windows: windows(&sequence, self.chunk(step)),
                sequence,
                rows,
                results: std::mem::take(&mut window.results),
                next: 0,
            }));
        }
        Ok(None)
    }

    fn window(&mut self, frame: &mut Frame) -> Result<(Window, usize, bool)> {
        let [first, last] = borders(&frame.sequence, frame.next, frame.windows);
        frame.next += 1;
        let is_last = frame.next == frame.windows;
        let results = match is_last {
            true => std::mem::take(&mut frame.results),
            false => frame.results.clone(),
        };
        let size = frame.rows.dim(1)?;
        let places = &frame.sequence.places[first..=last];
        let zeros = (first..=last).flat_map(|at| {
            let units = frame.sequence.units(at).iter();
            units.map(move |unit| ((at - first) * size) as u64 + u64::from(*unit))
        });
        let between = Between {
            before: places.iter().map(|place| place.before as u32).collect(),
            share: places.iter().map(|place| place.share).collect(),
            relu: true,
            zeros: zeros.collect(),
        };
        let rows = between.of(&frame.rows)?;
        let points = frame.sequence.points[first..=last].to_vec();
        let mut window = Window::new(points, results);
        window.keep(frame.step + 1, rows);
        Ok((window, frame.step, is_last))
    }

    fn logits(
        &mut self,
        window: Window,
        skipped: usize,
        found: &mut Found,
    ) -> Result<ControlFlow<()>> {
        let logits: Vec<Vec<f64>> = self.at(&window, self.program.output)?.to_vec2()?;
        for (logits, point) in logits.iter().zip(&window.points).skip(skipped) {
            if found(*point, logits)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Kept {
    /// Where t lies: the row at or before it, and the share of the way to the next one.
    fn place(&self, t: f64) -> (u32, f64) {
        // The last one that is not behind t.
        let at = self.t.partition_point(|time| *time <= t).saturating_sub(1);
        let share = match self.t.get(at + 1) {
            Some(next) if t > self.t[at] => (t - self.t[at]) / (next - self.t[at]),
            _ => 0.,
        };
        (at as u32, share)
    }
}

impl Window {
    fn new(points: Vec<Point>, results: Vec<(usize, Kept)>) -> Self {
        Self {
            t: Arc::new(points.iter().map(|point| point.t).collect()),
            points,
            results,
        }
    }

    /// Takes a result at its points.
    fn keep(&mut self, number: usize, rows: Tensor) {
        let t = Arc::clone(&self.t);
        self.results.push((number, Kept { t, rows }));
    }

    /// Frees the results that no step after `step` reads.
    fn forget(&mut self, program: &Program, step: usize) {
        self.results
            .retain(|(number, _)| program.is_read_after(*number, step));
    }
}
