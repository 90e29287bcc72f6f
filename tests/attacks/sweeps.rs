//! A sweep equals the single calls, at the cost it promises.

use std::sync::atomic::Ordering;

use candle_core::DType;
use isopath::Result;
use isopath::attacks::{Attack, Fgsm, Norm, Pgd, RobustAccuracy};
use isopath::metrics::accuracy;

use crate::common::{CrossEntropy, Mlp, batch};

const VALUES: [f64; 5] = [0.01, 0.03, 0.1, 0.3, 1.];
const ROWS: usize = 61;

#[test]
fn fgsm_sweep_equals_single_calls_with_one_gradient_a_batch() -> Result<()> {
    let network = Mlp::random(2, &[12, 9, 4], DType::F32)?;
    let data = batch(3, ROWS, DType::F32)?;
    for norm in [Norm::LInf, Norm::L2] {
        let loss = CrossEntropy::default();
        let fgsm = Fgsm {
            norm,
            batch_size: 20,
            ..Fgsm::along(loss.clone())
        };
        let curve = fgsm.curve(&network, &data, &[&[0.], &VALUES[..]].concat())?;
        assert_eq!(loss.calls.load(Ordering::Relaxed), 4); // 61 images are four batches of 20
        assert_eq!(curve.eps, curve.step_size);
        for (eps, share) in curve.eps.iter().zip(&curve.accuracy) {
            let found = fgsm.attack(&network, &data, *eps)?;
            assert_eq!(accuracy(&network, &found.data)?, *share);
        }
        assert!(curve.accuracy[0] > curve.accuracy[4]);
    }
    Ok(())
}

#[test]
fn pgd_sweeps_equal_single_calls() -> Result<()> {
    let network = Mlp::random(2, &[12, 9, 4], DType::F32)?;
    let data = batch(3, ROWS, DType::F32)?;
    for (norm, random_start, restarts) in [
        (Norm::LInf, false, 1),
        (Norm::LInf, true, 3),
        (Norm::L2, true, 1),
    ] {
        let loss = CrossEntropy::default();
        let pgd = Pgd {
            norm,
            steps: 4,
            batch_size: 20,
            alpha: 0.05,
            random_start,
            restarts,
            ..Pgd::along(loss.clone())
        };
        let curve = pgd.curve_over_alpha(&network, &data, 0.2, &VALUES)?;
        // Four batches; of four steps the five step sizes share the first.
        assert_eq!(
            loss.calls.load(Ordering::Relaxed),
            4 * restarts * (1 + 3 * VALUES.len())
        );
        assert_eq!(
            (&curve.step_size[..], &curve.eps[..]),
            (&VALUES[..], &[0.2; 5][..])
        );
        for (alpha, share) in VALUES.iter().zip(&curve.accuracy) {
            let pgd = Pgd {
                alpha: *alpha,
                ..pgd.clone()
            };
            let found = pgd.attack(&network, &data, 0.2)?;
            assert_eq!(accuracy(&network, &found.data)?, *share);
        }
        let curve = pgd.curve(&network, &data, &VALUES)?;
        assert_eq!(
            (&curve.eps[..], &curve.step_size[..]),
            (&VALUES[..], &[0.05; 5][..])
        );
        for (eps, share) in VALUES.iter().zip(&curve.accuracy) {
            let found = pgd.attack(&network, &data, *eps)?;
            assert_eq!(accuracy(&network, &found.data)?, *share);
        }
    }
    Ok(())
}

#[test]
fn a_curve_survives_json() -> Result<()> {
    let network = Mlp::random(2, &[12, 4], DType::F32)?;
    let data = batch(3, 5, DType::F32)?;
    let curve = Fgsm::along(CrossEntropy::default()).curve(&network, &data, &VALUES)?;
    let json = serde_json::to_string(&curve).unwrap();
    assert!(
        json.starts_with(r#"{"attack":"FGSM","eps":[0.01,"#) && json.contains(r#""accuracy":["#),
        "{json}"
    );
    assert_eq!(
        serde_json::from_str::<RobustAccuracy>(&json).unwrap(),
        curve
    );
    Ok(())
}
