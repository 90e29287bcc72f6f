//! Climbing images whose highest point is an end.

use isopath::Result;
use isopath::candle::Tensor;
use isopath::paths::{
    AutoNebParams, Cycle, FireParams, MullerBrown, NebInfo, NebParams, Optimizer, Outcome,
    SgdParams, Spacing, Stop, auto_neb, neb, relax,
};

use crate::fixtures::points;

/// On a slope above all saddles; the other end is the minimum in the middle.
const SLOPE: [f64; 2] = [0.1, 0.9];
const MIDDLE: [f64; 2] = [-0.050_010_822_998_206, 0.466_694_104_871_972];

fn climbing(optimizer: impl Into<Optimizer>) -> NebParams {
    NebParams {
        pivots: 9,
        spacing: Spacing::Springs { constant: 100. },
        climbing: true,
        optimizer: optimizer.into(),
        stop: Stop::Force(0.01),
        max_iterations: 500,
        ..NebParams::default()
    }
}

fn fire() -> FireParams {
    FireParams {
        time_step: 0.002,
        max_step: 0.2,
    }
}

fn ends() -> Result<(Tensor, Tensor)> {
    Ok((points(&[SLOPE, MIDDLE])?, points(&[MIDDLE, SLOPE])?))
}

/// Either way round.
fn assert_said(found: &[NebInfo], last: usize) {
    let outcomes: Vec<Outcome> = found.iter().map(|info| info.outcome).collect();
    let point = |point| Outcome::HighestAtEnd { point };
    assert_eq!(outcomes, [point(0), point(last)]);
}

#[test]
fn an_image_that_climbs_to_an_end_says_so() -> Result<()> {
    let (starts, ends) = ends()?;
    let surface = MullerBrown::default();
    // With inertia the image passes the end and comes back.
    for optimizer in [SgdParams::plain(2e-4).into(), Optimizer::adam(0.01)] {
        let params = climbing(optimizer);
        assert_said(&neb(&surface, &starts, &ends, &params)?, 10);
        let longer = NebParams {
            max_iterations: 3_000,
            ..params
        };
        assert_said(&neb(&surface, &starts, &ends, &longer)?, 10);
    }
    let params = climbing(SgdParams::plain(2e-4));
    let bands = neb(&surface, &starts, &ends, &params)?;
    let paths: Vec<Tensor> = bands.into_iter().map(|band| band.path).collect();
    assert_said(&relax(&surface, &Tensor::stack(&paths, 0)?, &params)?, 10);
    // A band that grows goes on, and says so in the end.
    let cycle = Cycle {
        insert: 2,
        optimizer: params.optimizer,
        max_iterations: 300,
    };
    let growing = AutoNebParams {
        neb: params,
        cycles: vec![cycle],
    };
    let found = auto_neb(&surface, &starts, &ends, &growing)?;
    assert_said(&found, 12);
    assert_eq!(found[0].iterations, 800);
    assert_eq!(
        found[1].outcome.to_string(),
        "reached the limit of iterations: the end of the path (point 12) is its highest point, so \
         the climbing image has no saddle to climb to; choose ends in minima, or set climbing: false"
    );
    Ok(())
}

#[test]
fn other_bands_do_not() -> Result<()> {
    let (starts, ends) = ends()?;
    let surface = MullerBrown::default();
    // Without a climbing image a high end is no hindrance.
    let still = NebParams {
        climbing: false,
        max_iterations: 2_000,
        ..climbing(fire())
    };
    for info in neb(&surface, &starts, &ends, &still)? {
        assert_eq!(info.outcome, Outcome::Converged);
    }
    // A band over a saddle that is higher than both ends, and has not converged yet.
    let few = NebParams {
        max_iterations: 20,
        ..climbing(fire())
    };
    let minimum = points(&[[-0.558, 1.442]])?;
    let found = neb(&surface, &minimum, &points(&[MIDDLE])?, &few)?;
    assert_eq!(found[0].outcome, Outcome::IterationLimit);
    assert!(found[0].outcome.to_string().contains("more iterations"));
    Ok(())
}
