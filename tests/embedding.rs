//! UMAP and trustworthiness against umap-learn and scikit-learn.

mod common;

use common::{CPU, assert_close, message, with_threads};
use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::embedding::{UmapParams, nearest_neighbors, umap};
use isopath::metrics::{most_prominent_loop, trustworthiness};
use isopath::ndarray::Array2;

/// Two linked rings of 300 points each and a torus of 1,600, with noise: the same numbers as in
/// Python.
///
/// ```python
/// # umap-learn 0.5.12, scikit-learn 1.9.1, numpy 2.4.6
/// def frac(x): return x - np.floor(x)
/// def noise(n, size): return size * (2 * frac(np.abs(np.sin((np.arange(n) + 1) * 12.9898) * 43758.5453)) - 1)
/// def angle(n, turn): return 2 * np.pi * frac(np.arange(n) * turn)
/// golden, root = 0.6180339887498949, 0.4142135623730951
/// t = angle(300, golden)
/// first, second = np.stack([np.cos(t), np.sin(t), 0 * t], 1), np.stack([1 + np.cos(t), 0 * t, np.sin(t)], 1)
/// rings = np.concatenate([first, second]); rings += noise(rings.size, 0.05).reshape(rings.shape)
/// u, v = angle(1600, golden), angle(1600, root)
/// torus = np.stack([(2 + np.cos(v)) * np.cos(u), (2 + np.cos(v)) * np.sin(u), np.sin(v)], 1)
/// torus += noise(torus.size, 0.03).reshape(torus.shape)
/// for x in [rings, torus]:
///     y = umap.UMAP(n_neighbors=40, min_dist=0.25, random_state=0, n_jobs=1).fit_transform(x)
///     print([sklearn.manifold.trustworthiness(x, y, n_neighbors=k) for k in (5, 15, 40)])
/// ```
fn rings() -> Result<Tensor> {
    let angles = (0..300).map(|i| angle(i, GOLDEN)).collect::<Vec<_>>();
    let first = angles.iter().map(|t| [t.cos(), t.sin(), 0.]);
    let second = angles.iter().map(|t| [1. + t.cos(), 0., t.sin()]);
    noisy(first.chain(second).collect(), 0.05)
}

fn torus() -> Result<Tensor> {
    let point = |i: usize| {
        let (u, v) = (angle(i, GOLDEN), angle(i, 0.414_213_562_373_095_1));
        [(2. + v.cos()) * u.cos(), (2. + v.cos()) * u.sin(), v.sin()]
    };
    noisy((0..1600).map(point).collect(), 0.03)
}

const GOLDEN: f64 = 0.618_033_988_749_894_9;

fn angle(index: usize, turn: f64) -> f64 {
    std::f64::consts::TAU * (index as f64 * turn).fract()
}

fn noisy(points: Vec<[f64; 3]>, size: f64) -> Result<Tensor> {
    let noise = |i: usize| {
        size * (2. * ((((i + 1) as f64 * 12.9898).sin() * 43758.5453).abs()).fract() - 1.)
    };
    let flat = points
        .iter()
        .flatten()
        .enumerate()
        .map(|(i, coordinate)| coordinate + noise(i))
        .collect::<Vec<f64>>();
    Ok(Tensor::from_vec(flat, (points.len(), 3), CPU)?)
}

/// As far as the neighbours of the layout may be worse than umap-learn's.
const MARGIN: f64 = 0.02;
/// What scikit-learn's `trustworthiness` gives for umap-learn's layouts, by number of neighbours.
const NEAR: [usize; 3] = [5, 15, 40];
const RINGS: [f64; 3] = [0.99929, 0.99977, 0.99986];
const TORUS: [f64; 3] = [0.94514, 0.95049, 0.95582];
const SQUARES: [f64; 3] = [
    0.02499999999999991,
    0.34444444444444444,
    0.28240740740740733,
];
const CUBES: [f64; 3] = [0.49444444444444446, 0.6755555555555556, 0.6287037037037038];

#[test]
fn the_data_are_those_of_the_snippet() -> Result<()> {
    let (rings, torus) = (rings()?.to_vec2::<f64>()?, torus()?.to_vec2::<f64>()?);
    // The seventh rows as numpy prints them; the noise magnifies the last bits of a sine 43,758
    // times.
    assert_close(&rings[7], &[-0.44481938, 0.8955146, 0.03642361], 1e-7);
    assert_close(&torus[7], &[-1.28418148, 2.49603847, -0.56849546], 1e-7);
    Ok(())
}

#[test]
fn layouts_are_as_trustworthy_as_umap_learns() -> Result<()> {
    for (x, expected) in [(rings()?, RINGS), (torus()?, TORUS)] {
        for seed in 0..3 {
            let layout = umap(
                &x,
                &UmapParams {
                    seed,
                    ..UmapParams::default()
                },
            )?;
            for (k, expected) in NEAR.into_iter().zip(expected) {
                let found = trustworthiness(&x, &layout, k)?;
                assert!(
                    found > expected - MARGIN,
                    "seed {seed}, k {k}: {found} against {expected}"
                );
            }
        }
    }
    Ok(())
}

/// The rings lie in planes across each other: seen in common axes, one of them would be a line.
#[test]
fn parts_of_the_data_open_each_by_itself() -> Result<()> {
    let layout = umap(&rings()?, &UmapParams::default())?;
    let flat: Vec<f64> = layout.iter().copied().collect();
    let layout = Tensor::from_vec(flat, layout.dim(), CPU)?;
    for ring in [layout.narrow(0, 0, 300)?, layout.narrow(0, 300, 300)?] {
        let found = most_prominent_loop(&ring)?;
        assert!(found.kept(), "{found:?}");
    }
    Ok(())
}

#[test]
fn trustworthiness_is_scikit_learns() -> Result<()> {
    // scikit-learn 1.9.1: x = np.sin(np.arange(60)).reshape(20, 3); y = x[:, :2] ** 2
    // [sklearn.manifold.trustworthiness(x, y, n_neighbors=k) for k in (1, 3, 9)], and of y = x[:,
    // 2:] ** 3
    let x = common::wave(&[20, 3], 0.)?;
    let rows = x.to_vec2::<f64>()?;
    let squares = Array2::from_shape_fn((20, 2), |(i, j)| rows[i][j].powi(2));
    let cubes = Array2::from_shape_fn((20, 1), |(i, _)| rows[i][2].powi(3));
    let found = |embedding: &Array2<f64>| -> Result<Vec<f64>> {
        [1, 3, 9]
            .into_iter()
            .map(|k| trustworthiness(&x, embedding, k))
            .collect()
    };
    assert_close(&found(&squares)?, &SQUARES, 1e-12);
    assert_close(&found(&cubes)?, &CUBES, 1e-12);
    // Every neighbour is kept by an isometry.
    assert_eq!(
        trustworthiness(
            &x,
            &Array2::from_shape_fn((20, 3), |(i, j)| 1. - rows[i][j]),
            5
        )?,
        1.
    );
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_layout_whatever_the_threads() -> Result<()> {
    let x = rings()?;
    let of = |seed, threads| {
        let params = UmapParams {
            seed,
            epochs: 50,
            ..UmapParams::default()
        };
        with_threads(threads, || umap(&x, &params))
    };
    let one = of(3, 1)?;
    assert_eq!(one, of(3, 2)?);
    assert_eq!(one, of(3, 7)?);
    assert_ne!(one, of(4, 1)?);
    Ok(())
}

#[test]
fn neighbours_come_in_order_and_duplicates_are_neighbours() -> Result<()> {
    let x = Tensor::new(&[[0f32], [3.], [1.], [1.], [7.]], CPU)?;
    let neighbors = nearest_neighbors(&x, 2)?;
    assert_eq!(neighbors.indices, [[2, 3], [2, 3], [3, 0], [2, 0], [1, 2]]);
    assert_eq!(neighbors.distances[2], [0., 1.]);
    Ok(())
}

#[test]
fn awkward_points_have_a_finite_layout() -> Result<()> {
    let params = UmapParams {
        n_neighbors: 3,
        epochs: 20,
        ..UmapParams::default()
    };
    let line = common::wave(&[12, 1], 0.)?;
    let equal = Tensor::ones((8, 4), DType::F32, CPU)?;
    // Two groups without an edge between them, each of duplicates.
    let groups = Tensor::cat(
        &[
            Tensor::zeros((5, 2), DType::F64, CPU)?,
            (Tensor::ones((5, 2), DType::F64, CPU)? * 1e6)?,
        ],
        0,
    )?;
    let wide = (common::wave(&[9, 50], 1.)? * 1e-200)?;
    for x in [line, equal, groups, wide, common::wave(&[4, 2], 0.)?] {
        for min_dist in [0., 1.] {
            let layout = umap(
                &x,
                &UmapParams {
                    min_dist,
                    ..params.clone()
                },
            )?;
            assert_eq!(layout.dim(), (x.dim(0)?, 2));
            assert!(
                layout.iter().all(|coordinate| coordinate.is_finite()),
                "{layout}"
            );
        }
    }
    Ok(())
}

#[test]
fn bad_input_is_refused() -> Result<()> {
    let x = common::wave(&[30, 3], 0.)?;
    let with = |change: fn(&mut UmapParams)| {
        let mut params = UmapParams {
            n_neighbors: 5,
            ..UmapParams::default()
        };
        change(&mut params);
        message(umap(&x, &params))
    };
    assert_eq!(
        with(|p| p.n_neighbors = 30),
        "n_neighbors is 30; expected below 30, the number of points"
    );
    assert_eq!(
        with(|p| p.n_neighbors = 1),
        "n_neighbors is 1; expected at least 2"
    );
    assert_eq!(
        with(|p| p.min_dist = -0.1),
        "min_dist is -0.1; expected in [0, 1]"
    );
    assert_eq!(
        with(|p| p.min_dist = 1.1),
        "min_dist is 1.1; expected in [0, 1]"
    );
    assert_eq!(
        with(|p| p.min_dist = f64::NAN),
        "min_dist is NaN; expected in [0, 1]"
    );
    assert_eq!(with(|p| p.epochs = 0), "epochs is 0; expected at least 1");
    let of = |x: &Tensor| message(umap(x, &UmapParams::default()));
    assert_eq!(
        of(&Tensor::zeros((0, 3), DType::F32, CPU)?),
        "neighbors: x has shape [0, 3]; expected (N, D), neither 0"
    );
    assert!(of(&Tensor::zeros((3, 0), DType::F32, CPU)?).contains("expected (N, D), neither 0"));
    assert!(of(&Tensor::zeros(3, DType::F32, CPU)?).contains("expected (N, D), neither 0"));
    assert_eq!(
        of(&Tensor::new(&[[1.], [f64::NAN]], CPU)?),
        "x is NaN; expected finite coordinates"
    );
    assert_eq!(
        of(&Tensor::new(&[[1.], [f64::INFINITY]], CPU)?),
        "x is inf; expected finite coordinates"
    );
    // Known before any work, and before the numbers take memory.
    let many = Tensor::zeros((1, 1), DType::F32, CPU)?.broadcast_as((400_000, 784))?;
    assert_eq!(
        of(&many),
        "points is 400000 of 784 numbers, with 40 neighbours each; expected at most 1e13 differences \
         of coordinates for all pairs, not 1.3e14 (days): take a sample of the points, or a \
         representation with fewer numbers"
    );
    assert_eq!(message(nearest_neighbors(&many, 40)), of(&many));
    let near = UmapParams {
        n_neighbors: 1_000,
        ..UmapParams::default()
    };
    assert_eq!(
        message(umap(&many.narrow(0, 0, 60_000)?.narrow(1, 0, 3)?, &near)),
        "points is 60000 of 3 numbers, with 1000 neighbours each; expected at most 8 GB of memory, \
         not 12 GB: take a sample of the points, or fewer neighbours"
    );
    let far = Tensor::new(&[[-1e200], [1e200]], CPU)?;
    assert_eq!(
        message(nearest_neighbors(&far, 1)),
        "distance is inf; expected a finite number"
    );
    assert!(message(nearest_neighbors(&x, 0)).starts_with("k is 0"));
    assert!(message(nearest_neighbors(&x, 30)).starts_with("k is 30"));
    let flat = |n| Array2::<f64>::zeros((n, 2));
    assert!(
        message(trustworthiness(&x, &flat(29), 3))
            .contains("embedding has shape [29, 2]; expected (30, E)")
    );
    assert!(message(trustworthiness(&x, &flat(30), 0)).starts_with("n_neighbors is 0"));
    assert!(message(trustworthiness(&x, &flat(30), 15)).starts_with("n_neighbors is 15"));
    assert!(message(trustworthiness(&x, &Array2::zeros((30, 0)), 3)).contains("neither 0"));
    assert!(message(trustworthiness(&x, &(flat(30) * f64::NAN), 3)).contains("finite"));
    Ok(())
}
