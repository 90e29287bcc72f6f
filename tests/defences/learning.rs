//! What the losses do to a network that is trained with them.

use isopath::Result;
use isopath::attacks::{AdversarialLoss, Attack as _, Pgd, Trades};
use isopath::candle::{DType, Tensor};
use isopath::datasets::Dataset;
use isopath::lipschitz::jacobian_norms;
use isopath::losses::{CrossEntropy, JacobianPenalty, Loss};
use isopath::metrics::accuracy;
use isopath::models::{Activation, Mlp, Model, Representation};
use isopath::optimizers::Optimizer;
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::training::{TrainParams, train};

use crate::common::{CPU, weights};

/// The radius of the attacks.
const EPS: f64 = 0.25;

/// One strong feature, ±0.5, that is wrong in one of twenty points, and twenty weak ones, ±0.1, that
/// together are always right. A plain network reads the weak ones, and an attacker of radius 0.25
/// turns all of them.
fn data(seed: u64) -> Result<Dataset> {
    let n = 600;
    let mut rng = Rng::new(seed);
    let labels: Vec<u32> = (0..n)
        .map(|_| Ok(rng.below(2)? as u32))
        .collect::<Result<_>>()?;
    let mut rows = Vec::new();
    for label in &labels {
        let side = 2. * f64::from(*label) - 1.;
        let strong = if rng.below(20)? == 0 { -side } else { side };
        let noise = rng
            .normal(21, 0., 0.05, DType::F64, CPU)?
            .to_vec1::<f64>()?;
        let clean = std::iter::once(0.5 * strong).chain(std::iter::repeat_n(0.1 * side, 20));
        rows.extend(clean.zip(noise).map(|(a, b)| a + b));
    }
    let x = Tensor::from_vec(rows, (n, 21), CPU)?.to_dtype(DType::F32)?;
    Dataset::new(x, Tensor::new(labels, CPU)?)
}

fn trained(loss: &dyn Loss) -> Result<Model<Mlp>> {
    let model = Model::on(0, DType::F32, CPU, |vb| {
        Mlp::new(&[21, 16, 2], Activation::Tanh, vb)
    })?;
    let params = TrainParams {
        epochs: 15,
        batch_size: 50,
        optimizer: Optimizer::adam(0.01),
        progress: Progress::Hidden,
        ..TrainParams::default()
    };
    train(&model, &data(0)?, loss, &params)?;
    Ok(model)
}

fn adversarial() -> AdversarialLoss {
    let mut loss = AdversarialLoss::new(EPS);
    loss.attack.bounds = None;
    loss
}

fn trades() -> Trades {
    Trades {
        bounds: None,
        ..Trades::new(6., EPS)
    }
}

#[test]
fn attacked_training_makes_a_network_robust() -> Result<()> {
    let test = data(1)?;
    let robust = |loss: &dyn Loss| -> Result<[f64; 2]> {
        let model = trained(loss)?;
        let pgd = Pgd {
            alpha: EPS / 10.,
            steps: 40,
            bounds: None,
            progress: Progress::Hidden,
            ..Pgd::default()
        };
        let curve = pgd.curve(&model, &test, &[EPS])?;
        Ok([accuracy(&model, &test)?, curve.accuracy[0]])
    };
    let plain = robust(&CrossEntropy)?;
    assert!(plain[0] > 0.99 && plain[1] < 0.3, "{plain:?}");
    for (name, found) in [
        ("adversarial", robust(&adversarial())?),
        ("TRADES", robust(&trades())?),
    ] {
        assert!(found[1] > 0.8, "{name}: {found:?}");
    }
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_weights() -> Result<()> {
    for loss in [
        &adversarial() as &dyn Loss,
        &trades(),
        &JacobianPenalty::new(0.1),
    ] {
        let [a, b] = [trained(loss)?, trained(loss)?];
        assert_eq!(weights(a.parameters()), weights(b.parameters()));
    }
    Ok(())
}

#[test]
fn the_penalty_makes_jacobians_smaller() -> Result<()> {
    let x = data(1)?.inputs.narrow(0, 0, 50)?;
    let mean = |loss: &dyn Loss| -> Result<f64> {
        let norms = jacobian_norms(&trained(loss)?, Representation::Logits, &x)?;
        Ok(norms.iter().sum::<f64>() / norms.len() as f64)
    };
    let [plain, penalised] = [mean(&CrossEntropy)?, mean(&JacobianPenalty::new(0.1))?];
    assert!(penalised < 0.7 * plain, "{plain} {penalised}");
    Ok(())
}
