//! The fused kernel of the isometric loss against its composite twin: every shape, every source of
//! D_M, every path.

mod common;

use common::{CPU, message, values};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::distances::{Cosine, Distance, Euclidean, Manhattan};
use isopath::ops::{
    Distances, isometric, isometric_composite, isometric_to, isometric_to_composite,
};
use isopath::rng::Rng;
use proptest::prelude::*;

/// Points `n` × `width` around 0, `copies` of them equal to another and as many a millionth beside
/// it.
fn points(name: &str, n: usize, width: usize, copies: usize) -> Result<Tensor> {
    let mut rng = Rng::new(11).stream(name);
    let mut numbers = values(&rng.normal((n, width.max(1)), 0., 1., DType::F32, CPU)?);
    numbers.truncate(n * width);
    for copy in (0..2 * copies).filter(|_| n > 1) {
        let (from, to) = ((7 * copy) % n, (5 * copy + 1) % n);
        for feature in 0..width {
            let beside = if copy % 2 == 0 { 0. } else { 1e-6 };
            numbers[to * width + feature] = numbers[from * width + feature] + beside;
        }
    }
    // As f32 holds them, so that both types see the same points.
    Ok(Tensor::from_vec(numbers, (n, width), CPU)?
        .to_dtype(DType::F32)?
        .to_dtype(DType::F64)?)
}

/// A loss and its gradients in x and z; the loss is tripled, so that a kernel that forgets what
/// flows back is found.
fn evaluate(
    x: &Var,
    z: &Var,
    loss: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<[Vec<f64>; 3]> {
    let loss = (loss(x, z)? * 3.)?;
    let gradients = loss.backward()?;
    let gradient = |v: &Var| gradients.get(v).map_or(vec![0.; v.elem_count()], values);
    Ok([values(&loss), gradient(x), gradient(z)])
}

/// How far rounding can move the value, and each point's gradient.
///
/// With u the unit of rounding, a distance of D features is off by at most (D/2 + 2)·u of itself:
/// each difference and each step of the sum rounds once, and the root halves it. So a pair's
/// difference d(x_i, x_j) − d(z_i, z_j) is off by less than (D + E + 4)·u·s, s the sum of both
/// distances. The value adds their squares, the gradient their (4/N²)-fold times a vector no longer
/// than 1, and summing n of these loses at most n·u of the sum of their sizes; a weight and its
/// product round a few times more. In both types the bound is doubled, for the composite rounds
/// too, and tripled as the loss is.
struct Bounds {
    value: f64,
    gradients: Vec<f64>,
}

fn bounds(x: &Tensor, z: &Tensor, cells: &[u32], u: f64) -> Result<Bounds> {
    let n = cells.len();
    let sums = (
        values(&Euclidean.pairwise(x)?),
        values(&Euclidean.pairwise(z)?),
    );
    let steps = (x.dim(1)? + z.dim(1)? + n + 12) as f64;
    let (mut value, mut gradients) = (0., vec![0.; n]);
    for i in 0..n {
        for j in (0..n).filter(|&j| cells[i] == cells[j]) {
            let s = sums.0[i * n + j] + sums.1[i * n + j];
            value += s * s;
            gradients[i] += s;
        }
    }
    let scale = 6. * steps * u / (n * n) as f64;
    let gradients = gradients.iter().map(|sum| 4. * scale * sum).collect();
    Ok(Bounds {
        value: 2. * scale * value,
        gradients,
    })
}

fn unit(dtype: DType) -> f64 {
    if dtype == DType::F32 {
        f64::from(f32::EPSILON) / 2.
    } else {
        f64::EPSILON / 2.
    }
}

#[track_caller]
fn assert_within(got: &[Vec<f64>; 3], expected: &[Vec<f64>; 3], bounds: &Bounds, what: &str) {
    let off = (got[0][0] - expected[0][0]).abs();
    assert!(
        off <= bounds.value,
        "{what}: value {} {} off by {off} > {}",
        got[0][0],
        expected[0][0],
        bounds.value
    );
    for (side, (got, expected)) in got[1..].iter().zip(&expected[1..]).enumerate() {
        assert_eq!(got.len(), expected.len(), "{what}");
        let width = expected.len() / bounds.gradients.len();
        for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
            let (off, bound) = ((got - expected).abs(), bounds.gradients[index / width]);
            assert!(
                off <= bound,
                "{what}: gradient {side} at {index}: {got} {expected} off by {off} > {bound}"
            );
        }
    }
}

/// On the fly, from a matrix and from pairs, in f32 and f64, against the composite in f64. `x` and
/// `z` in f64.
fn check(x: &Tensor, z: &Tensor, cells: &[u32], what: &str) -> Result<()> {
    let var = |t: &Tensor, dtype| -> Result<Var> { Ok(Var::from_tensor(&t.to_dtype(dtype)?)?) };
    let (x64, z64) = (var(x, DType::F64)?, var(z, DType::F64)?);
    let exact = evaluate(&x64, &z64, |x, z| {
        isometric_composite(x, z, cells, &Euclidean)
    })?;
    let without_x = [exact[0].clone(), vec![0.; exact[1].len()], exact[2].clone()];
    let matrix = Euclidean.pairwise(x)?;
    for dtype in [DType::F32, DType::F64] {
        let (x, z) = (var(x, dtype)?, var(z, dtype)?);
        let bounds = bounds(&x64, &z64, cells, unit(dtype))?;
        let fused = evaluate(&x, &z, |x, z| isometric(x, z, cells, &Euclidean))?;
        assert_within(&fused, &exact, &bounds, &format!("{what} {dtype:?}"));
        let matrix = Distances::from_matrix(&matrix.to_dtype(dtype)?)?;
        let pairs = Distances::within_cells(&x, cells, &Euclidean)?;
        for (distances, source) in [(&matrix, "matrix"), (&pairs, "pairs")] {
            let fused = evaluate(&x, &z, |_, z| isometric_to(distances, z, cells, &Euclidean))?;
            assert_within(
                &fused,
                &without_x,
                &bounds,
                &format!("{what} {dtype:?} {source}"),
            );
            if cells.len() < 100 {
                let composite = evaluate(&x, &z, |_, z| {
                    isometric_to_composite(distances, z, cells, &Euclidean)
                })?;
                assert_within(
                    &composite,
                    &without_x,
                    &bounds,
                    &format!("{what} {dtype:?} {source} composite"),
                );
            }
        }
    }
    Ok(())
}

/// One cell, every point its own, and several in shuffled order.
fn partitions(n: usize) -> Vec<Vec<u32>> {
    let shuffled = |classes: usize| {
        Rng::new(3)
            .permutation(n)
            .into_iter()
            .map(|i| (i % classes) as u32 * 1_000_000_007)
            .collect::<Vec<_>>()
    };
    vec![
        vec![5; n],
        (0..n as u32).rev().collect(),
        shuffled(3),
        shuffled(n.div_ceil(9)),
    ]
}

#[test]
fn every_size_shape_and_partition() -> Result<()> {
    // Sizes around vectors, padding and tiles; (2, 3) goes by feature, (70, 33) by point in small
    // cells, both ways mix.
    for n in [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33] {
        for (width, features) in [(1, 1), (2, 3), (3, 20), (70, 33), (16, 100), (784, 5)] {
            for cells in partitions(n) {
                let (x, z) = (points("x", n, width, 0)?, points("z", n, features, 0)?);
                check(
                    &x,
                    &z,
                    &cells,
                    &format!("{n} points, {width} {features}, {cells:?}"),
                )?;
            }
        }
    }
    for (n, shapes) in [
        (255, &[(2, 3), (3, 20)][..]),
        (256, &[(3, 20)]),
        (257, &[(2, 3), (3, 20)]),
        (513, &[(2, 3)]),
    ] {
        for &(width, features) in shapes {
            for cells in partitions(n) {
                let (x, z) = (points("x", n, width, 9)?, points("z", n, features, 9)?);
                check(&x, &z, &cells, &format!("{n} points, {width} {features}"))?;
            }
        }
    }
    Ok(())
}

#[test]
fn cells_dealt_to_several_tasks() -> Result<()> {
    // By feature; by point.
    for (n, width, features) in [(600, 3, 40), (129, 784, 784)] {
        let (x, z) = (points("x", n, width, 9)?, points("z", n, features, 9)?);
        let mut cells = vec![0; n];
        cells[n / 2] = 1;
        check(&x, &z, &cells, &format!("{n} points, {width} {features}"))?;
    }
    Ok(())
}

#[test]
fn points_without_features_are_all_at_distance_0() -> Result<()> {
    let (x, none) = (
        points("x", 5, 3, 0)?,
        Tensor::zeros((5, 0), DType::F64, CPU)?,
    );
    let squares = values(&Euclidean.pairwise(&x)?)
        .iter()
        .map(|d| d * d)
        .sum::<f64>()
        / 25.;
    for (x, z) in [(&x, &none), (&none, &x)] {
        let (x, z) = (Var::from_tensor(x)?, Var::from_tensor(z)?);
        let all = evaluate(&x, &z, |x, z| isometric(x, z, &[0; 5], &Euclidean))?;
        assert!((all[0][0] - 3. * squares).abs() < 1e-14);
        assert_eq!(
            [all[1].len(), all[2].len()],
            [x.elem_count(), z.elem_count()]
        );
    }
    Ok(())
}

#[test]
fn views_are_read_at_their_offset_and_stride() -> Result<()> {
    for (n, width, features) in [(9, 70, 33), (40, 3, 20)] {
        let (x, z) = (
            points("x", n + 3, width + 2, 0)?,
            points("z", features, n, 0)?,
        );
        let (x, z) = (x.narrow(0, 2, n)?.narrow(1, 1, width)?, z.t()?);
        check(&x, &z, &partitions(n)[2], "strided")?;
        // Rows in one piece, but not the first of their storage.
        let x = points("x", n + 3, width, 0)?.narrow(0, 3, n)?;
        let cells = &partitions(n)[3];
        let direct = isometric(&x, &z, cells, &Euclidean)?.to_scalar::<f64>()?;
        assert_eq!(
            direct,
            isometric(&x.copy()?, &z.copy()?, cells, &Euclidean)?.to_scalar::<f64>()?
        );
        // A matrix that is a part of a larger one.
        let whole = Euclidean.pairwise(&points("x", n + 3, width, 0)?)?;
        let part = Distances::from_matrix(&whole.narrow(0, 3, n)?.narrow(1, 3, n)?)?;
        let given = isometric_to(&part, &z, cells, &Euclidean)?.to_scalar::<f64>()?;
        assert!((given - direct).abs() <= 1e-13 * direct, "{given} {direct}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_shape(n in 1usize..80, width in 1usize..60, features in 1usize..60, classes in 1u32..12, copies in 0usize..20,
                 seed in 0u64..1000) {
        let order = Rng::new(seed).permutation(n);
        let cells: Vec<u32> = order.iter().map(|&i| i as u32 % classes).collect();
        let (x, z) = (points("x", n, width, copies).unwrap(), points("z", n, features, copies).unwrap());
        check(&x, &z, &cells, "any").unwrap();
    }
}

#[test]
fn gradients_are_slopes() -> Result<()> {
    // By feature; by point.
    for (n, width, features) in [(40, 3, 2), (5, 40, 50)] {
        let cells = vec![0; n];
        let (x, z) = (
            Var::from_tensor(&points("x", n, width, 0)?)?,
            Var::from_tensor(&points("z", n, features, 0)?)?,
        );
        let distances = Distances::within_cells(&x, &cells, &Euclidean)?;
        let [_, gradient_x, gradient_z] =
            evaluate(&x, &z, |x, z| isometric(x, z, &cells, &Euclidean))?;
        // A step of h misses a slope by about h² and by rounding over h.
        let h = 1e-6;
        let moved = |t: &Tensor, index: usize, by: f64| -> Result<Tensor> {
            let mut numbers = values(t);
            numbers[index] += by;
            Ok(Tensor::from_vec(numbers, t.shape(), CPU)?)
        };
        let slope = |at: &dyn Fn(f64) -> Result<Tensor>| -> Result<f64> {
            Ok(3. * (at(h)?.to_scalar::<f64>()? - at(-h)?.to_scalar::<f64>()?) / (2. * h))
        };
        for (index, gradient) in gradient_x.iter().enumerate() {
            let slope = slope(&|by| isometric(&moved(&x, index, by)?, &z, &cells, &Euclidean))?;
            assert!(
                (slope - gradient).abs() < 1e-8,
                "x {index}: {gradient} {slope}"
            );
        }
        for (index, gradient) in gradient_z.iter().enumerate() {
            let slope =
                slope(&|by| isometric_to(&distances, &moved(&z, index, by)?, &cells, &Euclidean))?;
            assert!(
                (slope - gradient).abs() < 1e-8,
                "z {index}: {gradient} {slope}"
            );
        }
    }
    Ok(())
}

#[test]
fn equal_points_do_not_move_each_other() -> Result<()> {
    for (n, features) in [(40, 3), (5, 50)] {
        let given = Tensor::ones((n, n), DType::F32, CPU)?;
        let z = Var::from_tensor(&Tensor::ones((n, features), DType::F32, CPU)?)?;
        let distances = Distances::from_matrix(&given)?;
        let [value, _, gradient] = evaluate(&z, &z, |_, z| {
            isometric_to(&distances, z, &vec![0; n], &Euclidean)
        })?;
        assert_eq!(value, [3.]);
        assert_eq!(gradient, vec![0.; n * features]);
    }
    Ok(())
}

#[test]
fn what_is_not_a_number_is_not_hidden() -> Result<()> {
    for (n, features) in [(40, 3), (5, 50)] {
        let mut numbers = values(&points("z", n, features, 0)?);
        numbers[2 * features + 1] = f64::NAN;
        let x = Var::from_tensor(&points("x", n, 4, 0)?)?;
        let z = Var::from_tensor(&Tensor::from_vec(numbers, (n, features), CPU)?)?;
        let [value, _, gradient] =
            evaluate(&x, &z, |x, z| isometric(x, z, &vec![0; n], &Euclidean))?;
        assert!(value[0].is_nan() && gradient.iter().any(|v| v.is_nan()));
    }
    Ok(())
}

#[test]
fn number_of_threads_changes_no_bit() -> Result<()> {
    for (n, width, features, classes) in [
        (300, 30, 20, 3),
        (1100, 3, 20, 1),
        (129, 784, 784, 1),
        (300, 784, 100, 30),
    ] {
        let var = |t: Tensor| -> Result<Var> { Ok(Var::from_tensor(&t.to_dtype(DType::F32)?)?) };
        let (x, z) = (
            var(points("x", n, width, 0)?)?,
            var(points("z", n, features, 0)?)?,
        );
        let cells: Vec<u32> = (0..n as u32).map(|i| i % classes).collect();
        let distances = Distances::within_cells(&x, &cells, &Euclidean)?;
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| -> Result<_> {
                let from_points = evaluate(&x, &z, |x, z| isometric(x, z, &cells, &Euclidean))?;
                Ok((
                    from_points,
                    evaluate(&x, &z, |_, z| {
                        isometric_to(&distances, z, &cells, &Euclidean)
                    })?,
                ))
            })
        };
        let one = on(1)?;
        for threads in [2, 3, 7] {
            assert!(on(threads)? == one, "{threads} threads, {n} points");
        }
    }
    Ok(())
}

#[test]
fn distances_serve_every_distance_and_partition() -> Result<()> {
    let (x, z) = (points("x", 20, 4, 0)?, points("z", 20, 3, 0)?);
    let z = Var::from_tensor(&z)?;
    for distance in [&Euclidean as &dyn Distance, &Manhattan, &Cosine] {
        let matrix = Distances::from_matrix(&distance.pairwise(&x)?)?;
        for cells in partitions(20) {
            let pairs = Distances::within_cells(&x, &cells, distance)?;
            let expected = values(&isometric_composite(&x, &z, &cells, distance)?)[0];
            for distances in [&matrix, &pairs] {
                for op in [isometric_to, isometric_to_composite] {
                    let got = values(&op(distances, &z, &cells, distance)?)[0];
                    assert!(
                        (got - expected).abs() <= 1e-14 * (1. + expected),
                        "{distance:?}: {got} {expected}"
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn bad_distances_are_refused() -> Result<()> {
    let of = |rows: &[[f64; 2]; 2]| Distances::from_matrix(&Tensor::new(rows, CPU)?);
    assert_eq!(
        message(of(&[[0., 1.], [2., 0.]])),
        "|D_ij - D_ji| is 1; expected at most 1e-4 of the largest, 2"
    );
    assert_eq!(
        message(of(&[[0., -1.], [-1., 0.]])),
        "the least distance is -1; expected a number ≥ 0"
    );
    for hole in [f64::NAN, f64::INFINITY] {
        assert_eq!(
            message(of(&[[0., hole], [hole, 0.]])),
            "distances is partly NaN or ∞; expected finite numbers"
        );
    }
    // Huge ones whose sum is not finite are distances, too.
    let huge = Tensor::new(&[[0., f32::MAX], [f32::MAX, 0.]], CPU)?;
    Distances::from_matrix(&huge)?;
    let shape = |shape: &[usize]| {
        message(Distances::from_matrix(
            &Tensor::zeros(shape, DType::F32, CPU).unwrap(),
        ))
    };
    assert_eq!(
        shape(&[2, 3]),
        "distances: matrix has shape [2, 3]; expected (N, N) with N at least 1"
    );
    assert_eq!(
        shape(&[0, 0]),
        "distances: matrix has shape [0, 0]; expected (N, N) with N at least 1"
    );
    assert_eq!(
        shape(&[]),
        "distances: matrix has shape []; expected (N, N) with N at least 1"
    );
    let whole = Tensor::zeros((2, 2), DType::U8, CPU)?;
    assert_eq!(
        message(Distances::from_matrix(&whole)),
        "dtype of the distances is U8; expected F32 or F64: convert the points with to_dtype(DType::F32)"
    );

    let (x, z) = (points("x", 3, 4, 0)?, points("z", 3, 2, 0)?);
    let within = |x: &Tensor, cells: &[u32]| message(Distances::within_cells(x, cells, &Euclidean));
    assert_eq!(
        within(&x, &[0; 2]),
        "isometric: cells has shape [2]; expected (3,), one for each row of x"
    );
    assert_eq!(
        within(&x.flatten_all()?, &[0; 12]),
        "distances: x has shape [12]; expected (N, D) with N at least 1"
    );
    let pairs = Distances::within_cells(&x, &[0, 0, 1], &Euclidean)?;
    for op in [isometric_to, isometric_to_composite] {
        let text = |z: &Tensor, cells: &[u32]| message(op(&pairs, z, cells, &Euclidean));
        assert_eq!(
            text(&z, &[0, 1, 1]),
            "cell of a point is 1; expected 0, as when the distances were made"
        );
        assert_eq!(
            text(&z, &[0; 4]),
            "isometric: cells has shape [4]; expected (3,), one for each row of the distances"
        );
        assert_eq!(
            text(&z.narrow(0, 0, 2)?, &[0, 0, 1]),
            "isometric: z has shape [2, 2]; expected (3, E), a row for each of the distances"
        );
        assert_eq!(
            text(&z.to_dtype(DType::F32)?, &[0, 0, 1]),
            "dtype of z is F32; expected F64, that of the distances"
        );
    }
    Ok(())
}

/// This file's other tests again, with each of the processor's instruction sets.
#[test]
fn every_instruction_set() {
    common::run_with_every_instruction_set("every_instruction_set");
    let refused = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "every_size_shape_and_partition"])
        .env("ISOPATH_SIMD", "mmx")
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&refused.stdout)
            .contains("ISOPATH_SIMD is mmx; expected scalar, or one of")
    );
}
