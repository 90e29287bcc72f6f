//! Defines a network from candle's layers, trains it, attacks it, and measures its derivative.
//!
//! `cargo run --example own_network`

use isopath::prelude::*;

/// Two linear layers with a ReLU between them.
#[derive(Clone, Debug)]
struct Net {
    hidden: nn::Linear,
    output: nn::Linear,
}

impl Net {
    fn new(vb: VarBuilder) -> candle::Result<Self> {
        let hidden = nn::linear(3, 32, vb.pp("hidden"))?;
        Ok(Self {
            hidden,
            output: nn::linear(32, 2, vb.pp("output"))?,
        })
    }
}

impl Network for Net {
    fn stages(&self) -> usize {
        2
    }

    fn stage(&self, index: usize, x: &Tensor) -> isopath::Result<Tensor> {
        match index {
            0 => Ok(self.hidden.forward(x)?.relu()?),
            _ => Ok(self.output.forward(x)?),
        }
    }
}

fn main() -> isopath::Result<()> {
    let rings = datasets::entangled_rings(&RingsParams::default())?.dataset()?;
    let rings = rings.to_device(&device::best())?;
    let network = Model::new(0, Net::new)?;
    train(
        &network,
        &rings,
        &CrossEntropy,
        &TrainParams {
            epochs: 50,
            ..TrainParams::default()
        },
    )?;
    println!("accuracy {:.3}", accuracy(&network, &rings)?);

    // Points have no bounds; pixels have.
    let attack = Fgsm {
        bounds: None,
        ..Fgsm::default()
    };
    println!("{}", attack.attack(&network, &rings, 0.1)?);

    let norms = lipschitz::jacobian_norms(
        &network,
        Representation::LastHidden,
        &rings.first(50)?.inputs,
    )?;
    let largest = norms.into_iter().fold(0., f64::max);
    println!("largest ‖∂Φ/∂x‖₂ at 50 points: {largest:.2}");
    Ok(())
}
