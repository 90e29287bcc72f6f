//! `tests/fixtures/attacks.json`, made by `tests/fixtures/attacks.py` with torch 2.15.0,
//! torchattacks 3.5.1 and foolbox 3.3.4 in double precision; its weights and images are numbers
//! that f32 holds exactly.

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::attacks::{Adversarial, Attack, Bounds, Fgsm, Goal, Norm, Pgd};
use isopath::models::Network;
use serde::Deserialize;

use crate::common::{CrossEntropy, Mlp, data, largest_difference, values};

/// In f64 only the order of summation differs: about a hundred roundings of 1e-16, through at most
/// ten steps.
const F64_TOLERANCE: f64 = 1e-13;
/// torchattacks divides by ‖g‖₂ + 1e-10 where foolbox and we divide by ‖g‖₂: steps shorter by 1e-10
/// / ‖g‖₂, where g, the gradient of a mean over six images, is 1e-2 long or more; α ≤ 1, and the
/// next steps start elsewhere.
const TORCHATTACKS_L2_TOLERANCE: f64 = 1e-7;
/// In f32 a pixel near 1 is rounded by 6e-8 in each of ten steps, and a gradient of the L2 attacks
/// by some 1e-6 of its length; an L∞ step is ±α unless a gradient is so small that rounding turns
/// its sign, which none here is.
const F32_TOLERANCE: f64 = 2e-6;
/// The gradient of the confident network is a difference p − 1 of about 1e-10 between numbers near
/// 1: rounding of 1e-16 is 1e-6 of it.
const CONFIDENT_TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Fixture {
    weights: Vec<Vec<f64>>,
    images: Vec<f64>,
    labels: Vec<u32>,
    targets: Vec<u32>,
    logits: Vec<f64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    library: String,
    attack: String,
    norm: Norm,
    eps: f64,
    alpha: f64,
    steps: usize,
    targeted: bool,
    clipped: bool,
    scale: f64,
    images: Vec<f64>,
}

impl Case {
    fn name(&self) -> String {
        let Self {
            library,
            attack,
            eps,
            alpha,
            steps,
            targeted,
            ..
        } = self;
        format!("{library} {attack}, eps {eps}, alpha {alpha}, {steps} steps, targeted {targeted}")
    }
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/attacks.json")).unwrap()
}

impl Fixture {
    fn network(&self, scale: f64, dtype: DType) -> Result<Mlp> {
        let tensor = |index: usize, shape: &[usize], scale: f64| -> Result<Tensor> {
            let values = Tensor::from_vec(self.weights[index].clone(), shape, &Device::Cpu)?;
            Ok((values * scale)?.to_dtype(dtype)?)
        };
        Ok(Mlp {
            layers: vec![
                (tensor(0, &[8, 12], 1.)?, tensor(1, &[8], 1.)?),
                (tensor(2, &[4, 8], scale)?, tensor(3, &[4], scale)?),
            ],
        })
    }

    fn images(&self, dtype: DType) -> Result<Tensor> {
        Ok(Tensor::from_vec(self.images.clone(), (6, 1, 3, 4), &Device::Cpu)?.to_dtype(dtype)?)
    }

    fn attack(&self, case: &Case, dtype: DType) -> Result<Adversarial> {
        let network = self.network(case.scale, dtype)?;
        let labels = Tensor::new(&self.labels[..], &Device::Cpu)?;
        let data = data(self.images(dtype)?, labels)?;
        let goal = match case.targeted {
            true => Goal::Targeted(Tensor::new(&self.targets[..], &Device::Cpu)?),
            false => Goal::Untargeted,
        };
        let (norm, bounds) = (case.norm, case.clipped.then(Bounds::default));
        let loss = CrossEntropy::default();
        if case.steps == 1 && case.alpha == case.eps {
            let fgsm = Fgsm {
                norm,
                goal,
                bounds,
                ..Fgsm::along(loss)
            };
            return fgsm.attack(&network, &data, case.eps);
        }
        let pgd = Pgd {
            norm,
            goal,
            bounds,
            alpha: case.alpha,
            steps: case.steps,
            ..Pgd::along(loss)
        };
        pgd.attack(&network, &data, case.eps)
    }
}

#[test]
fn the_network_is_the_fixtures() -> Result<()> {
    let fixture = fixture();
    let logits = fixture
        .network(1., DType::F64)?
        .forward(&fixture.images(DType::F64)?)?;
    assert!(largest_difference(&values(&logits)?, &fixture.logits) < F64_TOLERANCE);
    Ok(())
}

#[test]
fn images_equal_torchattacks_and_foolbox() -> Result<()> {
    let fixture = fixture();
    for (dtype, tolerance) in [(DType::F64, F64_TOLERANCE), (DType::F32, F32_TOLERANCE)] {
        let mut seen = 0;
        for case in fixture.cases.iter().filter(|case| case.scale == 1.) {
            let found = fixture.attack(case, dtype)?;
            let tolerance = match (case.library.as_str(), case.norm) {
                ("torchattacks", Norm::L2) => TORCHATTACKS_L2_TOLERANCE.max(tolerance),
                _ => tolerance,
            };
            let difference = largest_difference(&values(&found.data.inputs)?, &case.images);
            assert!(
                difference <= tolerance,
                "{}, {dtype:?}: {difference:e}",
                case.name()
            );
            assert_eq!(found.data.inputs.dims(), [6, 1, 3, 4]);
            seen += 1;
        }
        assert_eq!(seen, 43);
    }
    Ok(())
}

#[test]
fn the_floor_under_a_gradient_is_foolboxs_not_torchattacks() -> Result<()> {
    let fixture = fixture();
    let difference = |library: &str| -> Result<f64> {
        let case = fixture
            .cases
            .iter()
            .find(|case| case.scale != 1. && case.library == library)
            .unwrap();
        Ok(largest_difference(
            &values(&fixture.attack(case, DType::F64)?.data.inputs)?,
            &case.images,
        ))
    };
    assert!(difference("foolbox")? < CONFIDENT_TOLERANCE);
    // torchattacks' step on the most confident image is about half as long.
    assert!(difference("torchattacks")? > 1e-2);
    Ok(())
}
