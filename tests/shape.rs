//! Scores of shape: distances, their correlation and stress, and loops, against SciPy, ripser and
//! closed forms.

mod common;

use std::f64::consts::TAU;

use common::{CPU, assert_close, message, wave};
use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::metrics::{
    Loop, correlation, distances_within, most_prominent_loop, pair_distances, stress,
};

/// ```python
/// import numpy as np                                            # 2.4.6
/// from scipy.spatial.distance import pdist                      # SciPy 1.17.1
/// from scipy.stats import pearsonr
/// def wave(n, start): return np.sin(np.arange(n) + start)
/// d, e = pdist(wave(15, 0).reshape(5, 3)), pdist(wave(20, 1).reshape(5, 4))
/// print(d.tolist(), pearsonr(d, e)[0], np.sqrt(((d - e)**2).sum() / (d**2).sum()))
/// ```
#[test]
fn distances_correlation_and_stress_are_those_of_scipy() -> Result<()> {
    let (d, e) = (
        pair_distances(&wave(&[5, 3], 0.)?)?,
        pair_distances(&wave(&[5, 4], 1.)?)?,
    );
    assert_close(&d, &DISTANCES, 1e-14);
    assert_close(
        &[correlation(&d, &e)?, stress(&d, &e)?],
        &[-0.21101433704890735, 0.7597910342745572],
        1e-14,
    );
    Ok(())
}

const DISTANCES: [f64; 10] = [
    2.4626500563072593,
    0.34426333556030714,
    2.3947461786338775,
    0.6870362562840526,
    2.4436559694776565,
    0.3469906381327535,
    2.3759626595070045,
    2.4244888197180243,
    0.34959262539022623,
    2.4066891817598073,
];

#[test]
fn a_common_factor_keeps_the_correlation_and_shows_as_stress() -> Result<()> {
    let x = wave(&[6, 3], 2.)?;
    let d = pair_distances(&x)?;
    for factor in [0., 0.25, 1., 3.] {
        let scaled = pair_distances(&(&x * factor)?)?;
        assert!((stress(&d, &scaled)? - (1. - factor).abs()).abs() < 1e-14);
        let r = correlation(&d, &scaled)?;
        assert!(
            if factor == 0. {
                r.is_nan()
            } else {
                (r - 1.).abs() < 1e-14
            },
            "{factor}: {r}"
        );
    }
    Ok(())
}

#[test]
fn distances_within_are_the_cells_own() -> Result<()> {
    let x = Tensor::new(&[[0f32], [10.], [1.], [14.], [3.]], CPU)?;
    let cells = Tensor::new(&[0u32, 2, 0, 2, 0], CPU)?;
    assert_eq!(
        distances_within(&x, &cells)?,
        [vec![1., 3., 2.], vec![], vec![4.]]
    );
    Ok(())
}

/// A wavy circle of `n` points, f32, of which an arc of `missing` radians is left out.
fn curve(n: usize, missing: f64) -> Result<Tensor> {
    let angle = |i: usize| i as f64 * (TAU - missing) / n as f64;
    let points = (0..n).flat_map(|i| [angle(i).cos(), angle(i).sin(), 0.1 * (5. * angle(i)).sin()]);
    Ok(Tensor::from_iter(points, CPU)?
        .reshape((n, 3))?
        .to_dtype(DType::F32)?)
}

/// ```python
/// import numpy as np                                            # 2.4.6
/// from ripser import ripser                                     # 0.6.15
/// def bar(points):
///     b = ripser(points, maxdim=1, n_perm=64 if len(points) > 64 else None)["dgms"][1]
///     return b[np.argmax(b[:, 1] - b[:, 0])].tolist()
/// def curve(n, missing):
///     t = np.arange(n) * (2*np.pi - missing) / n
///     return np.stack([np.cos(t), np.sin(t), 0.1*np.sin(5*t)], 1).astype(np.float32)
/// print(bar(curve(40, 0)), bar(curve(300, 0)), bar(curve(300, 0.8)), bar(curve(300, 1.2)))
/// t = np.arange(300)*2*np.pi/300
/// print(bar(np.stack([np.cos(t), 0.05*np.sin(t)], 1).astype(np.float32)))
/// ```
#[test]
fn loops_are_those_of_ripser() -> Result<()> {
    let flat = |i: u32| {
        [
            (TAU * f64::from(i) / 300.).cos(),
            0.05 * (TAU * f64::from(i) / 300.).sin(),
        ]
    };
    let flat = Tensor::from_iter((0..300).flat_map(flat), CPU)?
        .reshape((300, 2))?
        .to_dtype(DType::F32)?;
    for (points, bar, kept) in [
        (
            curve(40, 0.)?,
            [0.1721142679452896, 1.7820130586624146],
            true,
        ),
        (
            curve(300, 0.)?,
            [0.11600090563297272, 1.738533854484558],
            true,
        ),
        // An eighth is missing, then a fifth: the gap passes half of the loop's width.
        (
            curve(300, 0.8)?,
            [0.7997843623161316, 1.7377829551696777],
            true,
        ),
        (
            curve(300, 1.2)?,
            [1.1433987617492676, 1.743424654006958],
            false,
        ),
        // Two strands a twentieth of the length apart.
        (flat, [0.09989441186189651, 0.1239907294511795], false),
    ] {
        let found = most_prominent_loop(&points)?;
        // ripser computes in f32.
        assert_close(&[found.birth, found.death], &bar, 1e-6);
        assert_eq!(found.kept(), kept, "{found:?}");
    }
    Ok(())
}

/// A regular polygon of n corners: born with its sides, 2 sin(π/n); filled when a triangle holds
/// the centre, √3 for n divisible by three.
#[test]
fn a_polygon_has_the_loop_of_its_closed_form() -> Result<()> {
    for n in [6, 9, 60] {
        let corner = |i: usize| {
            [
                (TAU * i as f64 / n as f64).cos(),
                (TAU * i as f64 / n as f64).sin(),
            ]
        };
        let points = Tensor::from_iter((0..n).flat_map(corner), CPU)?.reshape((n, 2))?;
        let found = most_prominent_loop(&points)?;
        assert_close(
            &[found.birth, found.death],
            &[2. * (TAU / 2. / n as f64).sin(), 3f64.sqrt()],
            1e-12,
        );
        assert!((found.prominence() - (1. - found.birth / 3f64.sqrt())).abs() < 1e-12);
    }
    Ok(())
}

#[test]
fn points_without_a_loop_have_none() -> Result<()> {
    for points in [
        wave(&[3, 2], 0.)?,
        wave(&[50, 1], 0.)?,
        Tensor::zeros((70, 2), DType::F32, CPU)?,
    ] {
        let found = most_prominent_loop(&points)?;
        assert!(
            found.death - found.birth < 1e-12 && found.prominence() < 1e-9 && !found.kept(),
            "{found:?}"
        );
    }
    assert_eq!(
        Loop {
            birth: 0.,
            death: 0.
        }
        .prominence(),
        0.
    );
    Ok(())
}

#[test]
fn bad_input_is_refused() -> Result<()> {
    let x = wave(&[4, 3], 0.)?;
    assert_eq!(
        message(pair_distances(&wave(&[4], 0.)?)),
        "distances: points has shape [4]; expected (N, D)"
    );
    let hole = Tensor::new(&[[0f32, f32::NAN], [1., 2.], [3., 4.]], CPU)?;
    assert_eq!(
        message(pair_distances(&hole)),
        "coordinate is NaN; expected a finite number"
    );
    assert_eq!(
        message(most_prominent_loop(&hole)),
        "coordinate is NaN; expected a finite number"
    );
    let few = "most_prominent_loop: points has shape [2, 3]; expected (N, D) with N at least 3";
    assert_eq!(message(most_prominent_loop(&x.narrow(0, 0, 2)?)), few);
    let cells = Tensor::new(&[0u32, 1, 0], CPU)?;
    let expected = "members: cells has shape [3]; expected (4,) of U32, one for each point";
    assert_eq!(message(distances_within(&x, &cells)), expected);
    for wild in [4, u32::MAX] {
        let cells = Tensor::new(&[0u32, 1, 0, wild], CPU)?;
        let expected = format!("cells is {wild}; expected below 4, the number of points");
        assert_eq!(message(distances_within(&x, &cells)), expected);
    }
    assert_eq!(
        message(stress(&[0., 0.], &[1., 1.])),
        "largest distance before is 0; expected a number > 0"
    );
    for (a, b) in [(vec![], vec![]), (vec![1., 2.], vec![1.])] {
        assert!(stress(&a, &b).is_err() && correlation(&a, &b).is_err());
    }
    assert!(correlation(&[1.], &[1.]).is_err());
    Ok(())
}
