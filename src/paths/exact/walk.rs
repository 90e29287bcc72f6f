//! A segment through a network, depth first: some of its points at a time, with the breakpoints that
//! each step adds between them.

use std::ops::ControlFlow;

use super::crossings::{Point, Sequence};
use crate::error::Result;
use crate::interrupt;

/// Takes a breakpoint with its logits, and says whether to go on.
pub(super) type Found<'a> = dyn FnMut(Point, &[f64]) -> Result<ControlFlow<()>> + 'a;

/// Points that go through the steps of a program together, and those that wait.
pub(super) trait Engine {
    /// Points, behind some step.
    type Window;
    /// Points before a step with breakpoints, of which some windows have not gone on yet.
    type Frame;

    /// The points with which a segment begins: its ends, or the one point that it is.
    fn start(&mut self, points: Vec<Point>) -> Result<Self::Window>;

    /// Runs the steps from `from` on, up to one with breakpoints; none if it reaches the logits.
    fn advance(&mut self, window: &mut Self::Window, from: usize) -> Result<Option<Self::Frame>>;

    /// The next window of a frame, with the number of the step before it; and whether it is the last.
    fn window(&mut self, frame: &mut Self::Frame) -> Result<(Self::Window, usize, bool)>;

    /// Gives each point of a window that has its logits to `found` until that breaks, but the first
    /// `skipped` ones.
    fn logits(
        &mut self,
        window: Self::Window,
        skipped: usize,
        found: &mut Found,
    ) -> Result<ControlFlow<()>>;
}

/// The points with which a segment begins.
pub(super) fn ends(is_point: bool) -> Vec<Point> {
    let times: &[f64] = if is_point { &[0.] } else { &[0., 1.] };
    let end = |t: &f64| Point {
        t: *t,
        stage: None,
        units: 0,
    };
    times.iter().map(end).collect()
}

/// A way through the windows of a segment, or of a part of it.
pub(super) struct Walk<E: Engine> {
    pub engine: E,
    frames: Vec<E::Frame>,
    /// The next window, with the number of the step before which it is.
    next: Option<(E::Window, usize)>,
    /// Whether the first point of the next window is the last one before it.
    begun: bool,
}

impl<E: Engine> Walk<E> {
    /// From one end of a segment to the other, or at the one point that it is.
    pub fn new(mut engine: E, is_point: bool) -> Result<Self> {
        let window = engine.start(ends(is_point))?;
        Ok(Self::behind(engine, (window, 0), false))
    }

    /// From a window, before a step, to its end; `begun` if it is not the first of the segment.
    pub fn behind(engine: E, window: (E::Window, usize), begun: bool) -> Self {
        Self {
            engine,
            frames: Vec::new(),
            next: Some(window),
            begun,
        }
    }

    /// Goes on to the next points that reach the logits, and gives them to `found`, in order. False at
    /// the end, or when `found` breaks.
    pub fn step(&mut self, found: &mut Found) -> Result<bool> {
        while let Some((mut window, from)) = self.next.take() {
            interrupt::check()?;
            let frame = self.engine.advance(&mut window, from)?;
            let is_done = frame.is_none();
            self.frames.extend(frame);
            if is_done {
                let skipped = usize::from(std::mem::replace(&mut self.begun, true));
                if self.engine.logits(window, skipped, found)?.is_break() {
                    return Ok(false);
                }
            }
            if let Some(mut frame) = self.frames.pop() {
                let (window, step, is_last) = self.engine.window(&mut frame)?;
                self.next = Some((window, step + 1));
                if !is_last {
                    self.frames.push(frame);
                }
            }
            if is_done {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The windows that the points of a sequence fall into, of nearly one size, which share their ends.
pub(super) fn windows(sequence: &Sequence, chunk: usize) -> usize {
    let pieces = sequence.points.len() - 1;
    pieces.div_ceil(chunk - 1).max(1)
}

/// The first and the last point of window `number` of so many.
pub(super) fn borders(sequence: &Sequence, number: usize, windows: usize) -> [usize; 2] {
    let pieces = sequence.points.len() - 1;
    [number, number + 1].map(|border| border * pieces / windows)
}
