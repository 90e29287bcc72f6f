//! The steps on the processor: a window of points at a time, in memory that is used again.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::block::{Block, Entry, Kept};
use super::crossings::{Point, Sequence};
use super::memory::{Buffer, Memory};
use super::program::Program;
use super::walk::{Engine, Found, borders, windows};
use crate::error::Result;

/// Points that go through the steps together, with the results that later steps read.
pub(super) struct Window {
    points: Vec<Point>,
    t: Arc<Vec<f64>>,
    results: Vec<(usize, Kept)>,
    /// The step before the next one, of which there is no result yet.
    entry: Option<Entry>,
}

/// Points before a step with breakpoints, of which some windows have not gone on yet.
pub(super) struct Frame {
    step: usize,
    sequence: Arc<Sequence>,
    numbers: Arc<Buffer>,
    results: Vec<(usize, Kept)>,
    windows: usize,
    next: usize,
}

/// The steps of a program on the processor, on one thread.
pub(super) struct Host<'a> {
    program: &'a Program,
    ends: &'a [Vec<f64>; 2],
    chunk: usize,
    memory: Memory,
    /// That of the points that are together.
    scratch: Memory,
    /// Multiplications and additions so far.
    pub operations: f64,
}

impl<'a> Host<'a> {
    /// Between two points, with at most `chunk` points together.
    pub fn new(program: &'a Program, ends: &'a [Vec<f64>; 2], chunk: usize) -> Self {
        Self {
            program,
            ends,
            chunk,
            memory: Memory::new(chunk),
            scratch: Memory::new(1),
            operations: 0.,
        }
    }
}

impl Engine for Host<'_> {
    type Window = Window;
    type Frame = Frame;

    fn start(&mut self, points: Vec<Point>) -> Result<Window> {
        let t: Arc<Vec<f64>> = Arc::new(points.iter().map(|point| point.t).collect());
        let start = Kept {
            t: Arc::clone(&t),
            numbers: Arc::new(Buffer::from(self.ends[..points.len()].concat())),
        };
        Ok(Window {
            points,
            t,
            results: vec![(0, start)],
            entry: None,
        })
    }

    fn advance(&mut self, window: &mut Window, from: usize) -> Result<Option<Frame>> {
        let steps = &self.program.steps;
        let breaks = (from..steps.len()).find(|number| steps[*number].kernel.has_breakpoints());
        let end = breaks.unwrap_or(steps.len());
        let entry = window.entry.take();
        let (t, results) = (&window.t, &window.results);
        let block = Block::new(self.program, t, entry.as_ref(), results, [from, end]);
        self.operations += block.work();
        let found = block.run(&mut self.memory, &mut self.scratch);
        drop(block);
        if let Some(entry) = entry {
            self.memory.give_shared(entry.numbers);
        }
        for (number, numbers) in found {
            self.keep(window, number, numbers);
        }
        if let Some(last) = end.checked_sub(1) {
            self.forget(&mut window.results, last);
        }
        let Some(step) = breaks else {
            return Ok(None);
        };
        let input = self.at(window, self.program.steps[step].input);
        let sequence = Sequence::new(self.program, step, &window.points, &input);
        let windows = windows(&sequence, self.chunk);
        let mut results = std::mem::take(&mut window.results);
        self.forget(&mut results, step);
        Ok(Some(Frame {
            step,
            sequence: Arc::new(sequence),
            numbers: input,
            results,
            windows,
            next: 0,
        }))
    }

    fn window(&mut self, frame: &mut Frame) -> Result<(Window, usize, bool)> {
        let sequence = &frame.sequence;
        let [first, last] = borders(sequence, frame.next, frame.windows);
        frame.next += 1;
        let points = sequence.points[first..=last].to_vec();
        let t = Arc::new(points.iter().map(|point| point.t).collect());
        let (results, numbers) = match frame.next < frame.windows {
            true => (frame.results.clone(), Arc::clone(&frame.numbers)),
            false => (
                std::mem::take(&mut frame.results),
                std::mem::take(&mut frame.numbers),
            ),
        };
        let entry = Some(Entry {
            step: frame.step,
            sequence: Arc::clone(&frame.sequence),
            numbers,
            first,
        });
        let window = Window {
            points,
            t,
            results,
            entry,
        };
        Ok((window, frame.step, frame.next == frame.windows))
    }

    fn logits(
        &mut self,
        mut window: Window,
        skipped: usize,
        found: &mut Found,
    ) -> Result<ControlFlow<()>> {
        let logits = self.at(&mut window, self.program.output);
        window.results.clear();
        let rows = self.program.rows_of_logits(&logits).zip(&window.points);
        for (logits, point) in rows.skip(skipped) {
            if found(*point, logits)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.memory.give_shared(logits);
        Ok(ControlFlow::Continue(()))
    }
}

impl Host<'_> {
    /// Takes a result at the points of the window, perhaps in the place of one at other points.
    fn keep(&mut self, window: &mut Window, number: usize, numbers: Buffer) {
        let kept = Kept {
            t: Arc::clone(&window.t),
            numbers: Arc::new(numbers),
        };
        match window.results.iter_mut().find(|(own, _)| *own == number) {
            Some((_, before)) => {
                let before = std::mem::replace(before, kept);
                self.memory.give_shared(before.numbers);
            }
            None => window.results.push((number, kept)),
        }
    }

    /// Result `number` at the points of the window.
    fn at(&mut self, window: &mut Window, number: usize) -> Arc<Buffer> {
        let found = window.results.iter().find(|(own, _)| *own == number);
        let Some((_, kept)) = found else {
            return Arc::default();
        };
        if Arc::ptr_eq(&kept.t, &window.t) {
            return Arc::clone(&kept.numbers);
        }
        let pixels = self.program.shapes[number].pixels;
        let mut numbers = self.memory.take(pixels, window.points.len());
        numbers
            .chunks_mut(pixels.image())
            .zip(&*window.t)
            .for_each(|(row, t)| kept.at(self.program, *t, row));
        self.keep(window, number, numbers);
        self.at(window, number)
    }

    /// Frees the results that no step after `step` reads.
    fn forget(&mut self, results: &mut Vec<(usize, Kept)>, step: usize) {
        let (program, memory) = (self.program, &mut self.memory);
        results.retain_mut(|(number, kept)| {
            let read = program.is_read_after(*number, step);
            if !read {
                memory.give_shared(std::mem::take(&mut kept.numbers));
            }
            read
        });
    }
}
