//! Bad input: one line that names the value and what was expected.

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::attacks::{
    Adversarial, Bounds, FgsmParams, Goal, PgdParams, fgsm, fgsm_sweep, pgd, pgd_eps_sweep,
    pgd_sweep, transfer,
};

use crate::common::{CrossEntropy, Mlp, batch};

/// The message of an error; one line.
fn message<T>(result: Result<T>) -> String {
    let message = result.err().expect("should be refused").to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

struct Setting {
    network: Mlp,
    images: Tensor,
    labels: Tensor,
}

fn setting() -> Setting {
    let (images, labels) = batch(3, 6, DType::F32).unwrap();
    Setting {
        network: Mlp::random(2, &[12, 9, 4], DType::F32).unwrap(),
        images,
        labels,
    }
}

impl Setting {
    fn pgd(
        &self,
        images: &Tensor,
        labels: &Tensor,
        eps: f64,
        params: PgdParams,
    ) -> Result<Adversarial> {
        pgd(
            &self.network,
            &CrossEntropy::default(),
            images,
            labels,
            eps,
            &params,
        )
    }
}

#[test]
fn numbers() {
    let it = setting();
    let with = |params: PgdParams| message(it.pgd(&it.images, &it.labels, 0.1, params));
    for eps in [-0.1, f64::NAN, f64::INFINITY] {
        let expected = format!("eps is {eps}; expected a finite number ≥ 0");
        assert_eq!(
            message(it.pgd(&it.images, &it.labels, eps, PgdParams::default())),
            expected
        );
        let loss = CrossEntropy::default();
        let found = fgsm(
            &it.network,
            &loss,
            &it.images,
            &it.labels,
            eps,
            &FgsmParams::default(),
        );
        assert_eq!(message(found), expected);
        let found = fgsm_sweep(
            &it.network,
            &loss,
            &it.images,
            &it.labels,
            &[0.1, eps],
            &FgsmParams::default(),
        );
        assert_eq!(message(found), expected);
    }
    for alpha in [0., -0.1, f64::NAN, f64::INFINITY] {
        let expected = format!("alpha is {alpha}; expected a finite number > 0");
        assert_eq!(
            with(PgdParams {
                alpha,
                ..Default::default()
            }),
            expected
        );
        let loss = CrossEntropy::default();
        let params = PgdParams::default();
        let found = pgd_sweep(
            &it.network,
            &loss,
            &it.images,
            &it.labels,
            0.1,
            &[0.1, alpha],
            &params,
        );
        assert_eq!(message(found), expected);
    }
    assert_eq!(
        with(PgdParams {
            steps: 0,
            ..Default::default()
        }),
        "steps is 0; expected at least 1"
    );
    assert_eq!(
        with(PgdParams {
            batch_size: 0,
            ..Default::default()
        }),
        "batch_size is 0; expected at least 1"
    );
    assert_eq!(
        with(PgdParams {
            restarts: 0,
            ..Default::default()
        }),
        "restarts is 0; expected at least 1"
    );
    assert_eq!(
        with(PgdParams {
            restarts: 2,
            ..Default::default()
        }),
        "restarts is 2; expected 1 unless random_start is true"
    );
    for (min, max) in [(1., 0.), (0.5, 0.5), (f64::NAN, 1.), (0., f64::INFINITY)] {
        let bounds = Some(Bounds { min, max });
        let expected = format!("bounds is [{min}, {max}]; expected finite min < max");
        assert_eq!(
            with(PgdParams {
                bounds,
                ..Default::default()
            }),
            expected
        );
    }
}

#[test]
fn empty_sweeps() {
    let it = setting();
    let (loss, params) = (CrossEntropy::default(), PgdParams::default());
    let found = pgd_sweep(
        &it.network,
        &loss,
        &it.images,
        &it.labels,
        0.1,
        &[],
        &params,
    );
    assert_eq!(
        message(found),
        "alphas is empty; expected at least one value"
    );
    let found = pgd_eps_sweep(&it.network, &loss, &it.images, &it.labels, &[], &params);
    assert_eq!(message(found), "eps is empty; expected at least one value");
    let found = fgsm_sweep(
        &it.network,
        &loss,
        &it.images,
        &it.labels,
        &[],
        &FgsmParams::default(),
    );
    assert_eq!(message(found), "eps is empty; expected at least one value");
}

#[test]
fn images() -> Result<()> {
    let it = setting();
    let with = |images: &Tensor| message(it.pgd(images, &it.labels, 0.1, PgdParams::default()));
    let shape = |dims: &str| {
        format!("attack: images has shape {dims}; expected (N, …), N ≥ 1 and no dimension 0")
    };
    assert_eq!(
        with(&Tensor::zeros((0, 12), DType::F32, &Device::Cpu)?),
        shape("[0, 12]")
    );
    assert_eq!(
        with(&Tensor::zeros(12, DType::F32, &Device::Cpu)?),
        shape("[12]")
    );
    assert_eq!(
        with(&Tensor::zeros((6, 12), DType::U8, &Device::Cpu)?),
        "images is u8; expected floating-point numbers"
    );
    // A pixel on the bound is inside, one ulp beyond is not.
    let ulp = Tensor::full(1f32 + f32::EPSILON, (6, 12), &Device::Cpu)?;
    assert_eq!(
        with(&ulp),
        "images is between 1.0000001192092896 and 1.0000001192092896; expected pixels inside the bounds [0, 1]"
    );
    assert!(
        with(&Tensor::full(-0.25f32, (6, 12), &Device::Cpu)?)
            .starts_with("images is between -0.25 and -0.25;")
    );
    for bounds in [None, Some(Bounds::default())] {
        for value in [f32::NAN, f32::INFINITY] {
            let mut pixels = vec![0.5f32; 72];
            pixels[17] = value;
            let images = Tensor::from_vec(pixels, (6, 12), &Device::Cpu)?;
            let found = it.pgd(
                &images,
                &it.labels,
                0.1,
                PgdParams {
                    bounds,
                    ..Default::default()
                },
            );
            assert!(message(found).starts_with("images is not finite"));
        }
    }
    // Bounds that f32 cannot hold are those of f32: 0.1 is rounded up.
    let images = Tensor::full(0.1f32, (6, 12), &Device::Cpu)?;
    let bounds = Some(Bounds { min: 0., max: 0.1 });
    it.pgd(
        &images,
        &it.labels,
        0.1,
        PgdParams {
            bounds,
            ..Default::default()
        },
    )?;
    // Images the network refuses: its own error, not a panic.
    let wide = Tensor::zeros((6, 13), DType::F32, &Device::Cpu)?;
    assert!(
        it.pgd(&wide, &it.labels, 0.1, PgdParams::default())
            .is_err()
    );
    Ok(())
}

#[test]
fn labels() -> Result<()> {
    let it = setting();
    let with = |labels: &Tensor| message(it.pgd(&it.images, labels, 0.1, PgdParams::default()));
    let expected =
        |name: &str| format!("attack: {name} has shape [5]; expected (6,), one label an image");
    let short = it.labels.narrow(0, 0, 5)?;
    assert_eq!(with(&short), expected("labels"));
    assert_eq!(
        with(&it.labels.to_dtype(DType::I64)?),
        "labels is i64; expected of type u32"
    );
    let out_of_range = Tensor::new(&[0u32, 1, 2, 3, 4, 0], &Device::Cpu)?;
    assert_eq!(
        with(&out_of_range),
        "labels is a label 4; expected labels below 4"
    );
    let targeted = |targets: &Tensor| {
        let goal = Goal::Targeted(targets.clone());
        message(it.pgd(
            &it.images,
            &it.labels,
            0.1,
            PgdParams {
                goal,
                ..Default::default()
            },
        ))
    };
    assert_eq!(targeted(&short), expected("targets"));
    assert_eq!(
        targeted(&out_of_range),
        "targets is a label 4; expected labels below 4"
    );
    let found = it.pgd(&it.images, &it.labels, 0.1, PgdParams::default())?;
    assert_eq!(
        message(transfer(&it.network, &found, &it.labels, 0)),
        "batch_size is 0; expected at least 1"
    );
    assert_eq!(
        message(transfer(&it.network, &found, &short, 5)),
        expected("labels")
    );
    Ok(())
}
