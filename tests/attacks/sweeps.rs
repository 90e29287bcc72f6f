//! A sweep equals the single calls, at the cost it promises.

use std::sync::atomic::Ordering;

use candle_core::DType;
use isopath::Result;
use isopath::attacks::{
    FgsmParams, Norm, PgdParams, RobustAccuracy, fgsm, fgsm_sweep, pgd, pgd_eps_sweep, pgd_sweep,
    transfer,
};

use crate::common::{CrossEntropy, Mlp, batch};

const VALUES: [f64; 5] = [0.01, 0.03, 0.1, 0.3, 1.];
const ROWS: usize = 61;

#[test]
fn fgsm_sweep_equals_single_calls_with_one_gradient_a_batch() -> Result<()> {
    let network = Mlp::random(2, &[12, 9, 4], DType::F32)?;
    let (images, labels) = batch(3, ROWS, DType::F32)?;
    for norm in [Norm::LInf, Norm::L2] {
        let params = FgsmParams {
            norm,
            batch_size: 20,
            ..Default::default()
        };
        let loss = CrossEntropy::default();
        let curve = fgsm_sweep(
            &network,
            &loss,
            &images,
            &labels,
            &[&[0.], &VALUES[..]].concat(),
            &params,
        )?;
        assert_eq!(loss.calls.load(Ordering::Relaxed), 4); // 61 images are four batches of 20
        assert_eq!(curve.eps, curve.step_size);
        for (eps, accuracy) in curve.eps.iter().zip(&curve.accuracy) {
            let found = fgsm(&network, &loss, &images, &labels, *eps, &params)?;
            assert_eq!(transfer(&network, &found, &labels, 20)?, *accuracy);
        }
        assert!(curve.accuracy[0] > curve.accuracy[4]);
    }
    Ok(())
}

#[test]
fn pgd_sweeps_equal_single_calls() -> Result<()> {
    let network = Mlp::random(2, &[12, 9, 4], DType::F32)?;
    let (images, labels) = batch(3, ROWS, DType::F32)?;
    for (norm, random_start, restarts) in [
        (Norm::LInf, false, 1),
        (Norm::LInf, true, 3),
        (Norm::L2, true, 1),
    ] {
        let params = PgdParams {
            norm,
            steps: 4,
            batch_size: 20,
            alpha: 0.05,
            random_start,
            restarts,
            ..Default::default()
        };
        let loss = CrossEntropy::default();
        let curve = pgd_sweep(&network, &loss, &images, &labels, 0.2, &VALUES, &params)?;
        // Four batches; of four steps the five step sizes share the first.
        assert_eq!(
            loss.calls.load(Ordering::Relaxed),
            4 * restarts * (1 + 3 * VALUES.len())
        );
        assert_eq!(
            (&curve.step_size[..], &curve.eps[..]),
            (&VALUES[..], &[0.2; 5][..])
        );
        for (alpha, accuracy) in VALUES.iter().zip(&curve.accuracy) {
            let params = PgdParams {
                alpha: *alpha,
                ..params.clone()
            };
            let found = pgd(&network, &loss, &images, &labels, 0.2, &params)?;
            assert_eq!(transfer(&network, &found, &labels, 20)?, *accuracy);
        }
        let curve = pgd_eps_sweep(&network, &loss, &images, &labels, &VALUES, &params)?;
        assert_eq!(
            (&curve.eps[..], &curve.step_size[..]),
            (&VALUES[..], &[0.05; 5][..])
        );
        for (eps, accuracy) in VALUES.iter().zip(&curve.accuracy) {
            let found = pgd(&network, &loss, &images, &labels, *eps, &params)?;
            assert_eq!(transfer(&network, &found, &labels, 20)?, *accuracy);
        }
    }
    Ok(())
}

#[test]
fn a_curve_survives_json() -> Result<()> {
    let network = Mlp::random(2, &[12, 4], DType::F32)?;
    let (images, labels) = batch(3, 5, DType::F32)?;
    let curve = fgsm_sweep(
        &network,
        &CrossEntropy::default(),
        &images,
        &labels,
        &VALUES,
        &FgsmParams::default(),
    )?;
    let json = serde_json::to_string(&curve).unwrap();
    assert!(
        json.starts_with(r#"{"eps":[0.01,"#) && json.contains(r#""accuracy":["#),
        "{json}"
    );
    assert_eq!(
        serde_json::from_str::<RobustAccuracy>(&json).unwrap(),
        curve
    );
    Ok(())
}
