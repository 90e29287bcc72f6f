//! Training several networks at the same time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::interrupt;

/// Does some work on each of several items, as many at once as there are processors, and gives the
/// results in the order of the items.
///
/// One training step of a small network is too short to share between processors, so several
/// networks trained side by side, each on one, take far less time than one after the other. Each
/// item computes on one thread, which changes none of its numbers. After an error no further item
/// is begun.
///
/// Set `CANDLE_NUM_THREADS=1` for it: candle otherwise hands elementwise operations on more than
/// 65,536 numbers to one pool of its own, whose threads wait in a busy loop. Two networks then
/// spend twice the time on waiting for each other.
///
/// # Errors
/// The first error in the order of the items.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Result<R>)>> = Mutex::default();
    let run = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            let result = interrupt::check().and_then(|()| work(item));
            if result.is_err() {
                next.store(items.len(), Ordering::Relaxed);
            }
            results
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push((index, result));
        }
    };
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..rayon::current_num_threads().min(items.len()) {
            // Tensor operations use the pool they are called in: one thread each, or they would
            // wait for one another.
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .build()
                .map_err(|error| {
                    Error::argument("threads", "a thread for each processor", error)
                })?;
            scope.spawn(move || pool.install(run));
        }
        Ok(())
    })?;
    let mut results = results
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
