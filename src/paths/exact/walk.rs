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

/// Goes from one end of a segment to the other, or stays at the one point that it is, and gives every
/// breakpoint with its logits to `found`, in order, until that breaks.
pub(super) fn walk<E: Engine>(engine: &mut E, is_point: bool, found: &mut Found) -> Result<()> {
    let times: &[f64] = if is_point { &[0.] } else { &[0., 1.] };
    let end = |t: &f64| Point {
        t: *t,
        stage: None,
        units: 0,
    };
    let mut window = engine.start(times.iter().map(end).collect())?;
    let mut frames = Vec::new();
    let mut from = 0;
    let mut begun = false;
    loop {
        interrupt::check()?;
        if let Some(frame) = engine.advance(&mut window, from)? {
            frames.push(frame);
        } else {
            // A window begins with the last point of the one before.
            if engine.logits(window, usize::from(begun), found)?.is_break() {
                return Ok(());
            }
            begun = true;
        }
        let Some(mut frame) = frames.pop() else {
            return Ok(());
        };
        let (next, step, last) = engine.window(&mut frame)?;
        (window, from) = (next, step + 1);
        if !last {
            frames.push(frame);
        }
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
