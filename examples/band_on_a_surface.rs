//! Finds the saddle between two minima of the Müller–Brown surface with a climbing elastic band.
//!
//! `cargo run --example band_on_a_surface`

use isopath::paths::{MullerBrown, Spacing, Stop, neb};
use isopath::prelude::*;

fn main() -> isopath::Result<()> {
    // The two deepest minima.
    let start = Tensor::new(&[[-0.558_224, 1.441_726]], &Device::Cpu)?;
    let end = Tensor::new(&[[0.623_499, 0.028_038]], &Device::Cpu)?;
    let relaxed = NebParams {
        pivots: 11,
        spacing: Spacing::Springs { constant: 100. },
        stop: Stop::Force(1e-3),
        max_iterations: 5_000,
        ..NebParams::default()
    };
    let band = &neb(
        &MullerBrown::default(),
        &start,
        &end,
        &NebParams {
            climbing: true,
            ..relaxed
        },
    )?[0];
    let top = band.highest();
    println!("{:?} after {} iterations", band.outcome, band.iterations);
    println!(
        "highest point {:?}, energy {:.3}",
        band.path.get(top)?.to_vec1::<f64>()?,
        band.energies[top]
    );
    Ok(())
}
