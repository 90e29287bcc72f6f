//! Units that change their sign between neighbouring rows.

use candle_core::{CpuStorage, Storage, Tensor, bail};

/// A unit that changes its sign between a row and the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    /// The first of both rows.
    pub row: u32,
    /// The unit, by its place in a row.
    pub unit: u32,
    /// The share of the way to the next row at which it is 0.
    pub share: f64,
}

/// All changes of x (N, n), in any order.
///
/// # Errors
/// x not in order, or not f64.
pub(crate) fn changes(x: &Tensor) -> candle_core::Result<Vec<Change>> {
    let (rows, size) = x.dims2()?;
    if !x.is_contiguous() {
        bail!("changes of signs: numbers not in order");
    }
    let pairs = rows.saturating_sub(1);
    let (storage, layout) = x.storage_and_layout();
    match &*storage {
        Storage::Cpu(CpuStorage::F64(numbers)) => {
            Ok(of_numbers(&numbers[layout.start_offset()..], [pairs, size]))
        }
        #[cfg(feature = "cuda")]
        Storage::Cuda(storage) => on_gpu::changes(storage, layout.start_offset(), [pairs, size]),
        _ => bail!(
            "changes of signs: no kernel for {:?} {:?}",
            x.device(),
            x.dtype()
        ),
    }
}

/// Unlike [`Rows::sign_changes`](crate::ops::Rows::sign_changes), of rows of any length.
fn of_numbers(x: &[f64], [pairs, size]: [usize; 2]) -> Vec<Change> {
    let mut found = Vec::new();
    for row in 0..pairs {
        let ends = x[row * size..][..2 * size].split_at(size);
        for (unit, (a, b)) in ends.0.iter().zip(ends.1).enumerate() {
            if (*a < 0. && *b > 0.) || (*a > 0. && *b < 0.) {
                found.push(Change {
                    row: row as u32,
                    unit: unit as u32,
                    share: a / (a - b),
                });
            }
        }
    }
    found
}

#[cfg(feature = "cuda")]
mod on_gpu {
    use candle_core::backend::BackendStorage;
    use candle_core::{CudaStorage, Result};

    use super::Change;
    use crate::ops::lines::cuda::{grid, numbers, room, whole};

    /// Changes that there is room for at first.
    const ROOM: usize = 1 << 18;

    pub(super) fn changes(
        storage: &CudaStorage,
        start: usize,
        [pairs, size]: [usize; 2],
    ) -> Result<Vec<Change>> {
        if pairs * size == 0 {
            return Ok(Vec::new());
        }
        let device = storage.device();
        let x = numbers(storage, start)?;
        let mut capacity = ROOM;
        loop {
            let mut found = device.alloc_zeros::<u32>(1)?;
            let mut rows = device.alloc_zeros::<u32>(capacity)?;
            let mut units = device.alloc_zeros::<u32>(capacity)?;
            let mut shares = room(device, capacity)?;
            launch!(
                device,
                "changes",
                grid(pairs, size),
                &(pairs as u64),
                &whole(size)?,
                &x,
                &whole(capacity)?,
                &mut found,
                &mut rows,
                &mut units,
                &mut shares
            );
            let count = device.clone_dtoh(&found)?.first().copied().unwrap_or(0) as usize;
            if count > capacity {
                capacity = count;
                continue;
            }
            if count == 0 {
                return Ok(Vec::new());
            }
            let rows = device.clone_dtoh(&rows.slice(..count))?;
            let units = device.clone_dtoh(&units.slice(..count))?;
            let shares = device.clone_dtoh(&shares.slice(..count))?;
            let all = rows.into_iter().zip(units).zip(shares);
            let change = |((row, unit), share)| Change { row, unit, share };
            return Ok(all.map(change).collect());
        }
    }
}
