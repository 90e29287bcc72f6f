//! Trains two networks on linked rings, one without and one with the isometric loss, and prints how
//! well each keeps the distances inside a ring.
//!
//! `cargo run --example isometric_training`

use isopath::lipschitz::{Pairs, ratio};
use isopath::prelude::*;

fn main() -> isopath::Result<()> {
    let params = RingsParams {
        points: 300,
        ..RingsParams::default()
    };
    let rings = datasets::entangled_rings(&params)?
        .dataset()?
        .to_device(&device::best())?;
    for beta in [0., 1.] {
        let network = Model::new(0, |vb| {
            Mlp::new(&[3, 20, 20, 20, 20, 2], Activation::Tanh, vb)
        })?;
        let params = TrainParams {
            epochs: 1_000,
            batch_size: rings.len(),
            optimizer: AdamParams {
                learning_rate: 3e-3,
                ..AdamParams::default()
            }
            .into(),
            progress: format!("β = {beta}").as_str().into(),
            ..TrainParams::default()
        };
        train(&network, &rings, &IsometricLoss::new(beta), &params)?;
        let phi = Representation::LastHidden.of(&network, &rings.inputs)?;
        let within = ratio(&rings, &phi, Pairs::Within)?;
        println!(
            "β = {beta}: accuracy {:.3}; distances inside a ring change by a factor of {:.2} on average, of {:.2} at most",
            accuracy(&network, &rings)?,
            within.mean,
            within.largest
        );
    }
    Ok(())
}
