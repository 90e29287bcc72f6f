//! The isometric loss and its gradient in Φ, D_M given as a matrix.

use isopath::Result;
use isopath::candle::{DType, Device, Var};
use isopath::distances::{Euclidean, Metric};
use isopath::ops::{Distances, isometric_to, isometric_to_composite};
use isopath::rng::Rng;

use crate::Bench;

/// Points, features of Φ, classes.
const CASES: [(usize, usize, usize); 5] = [(1600, 20, 1), (1600, 20, 2), (1600, 20, 8), (6400, 20, 1), (100, 100, 10)];

/// Runs the cases.
pub fn run(bench: &Bench) -> Result<()> {
    for (n, d, classes) in CASES {
        let rng = Rng::new(0);
        let x = rng.stream("x").normal((n, 3), 0., 1., DType::F32, &Device::Cpu)?;
        let z = Var::from_tensor(&rng.stream("z").normal((n, d), 0., 1., DType::F32, &Device::Cpu)?)?;
        let distances = Distances::from_matrix(&Euclidean.pairwise(&x)?)?;
        let cells: Vec<u32> = (0..n).map(|i| (i * classes / n) as u32).collect();
        let step = || isometric_to(&distances, &z, &cells, &Euclidean)?.backward().map(drop).map_err(Into::into);
        let mut composite =
            || isometric_to_composite(&distances, &z, &cells, &Euclidean)?.backward().map(drop).map_err(Into::into);
        // 6400 points would take 3 GB a tensor.
        let composite: Option<&mut dyn FnMut() -> Result<()>> = if n > 2000 { None } else { Some(&mut composite) };
        bench.case(&format!("isometric n={n} d={d} classes={classes} fwd+grad"), step, composite)?;
    }
    Ok(())
}
