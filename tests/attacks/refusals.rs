//! Bad input: one line that names the value and what was expected.

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::attacks::{Attack, Bounds, Fgsm, Goal, Pgd};
use isopath::datasets::Dataset;

use crate::common::{Mlp, batch};

/// The message of an error; one line.
fn message<T>(result: Result<T>) -> String {
    let message = result.err().expect("should be refused").to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

fn network() -> Mlp {
    Mlp::random(2, &[12, 9, 4], DType::F32).unwrap()
}

fn data() -> Dataset {
    batch(3, 6, DType::F32).unwrap()
}

/// The message of an attack on other images.
fn of_images(images: &Tensor, pgd: Pgd) -> String {
    let data = Dataset {
        inputs: images.clone(),
        ..data()
    };
    message(pgd.attack(&network(), &data, 0.1))
}

#[test]
fn numbers() {
    let (network, data) = (network(), data());
    let with = |pgd: Pgd| message(pgd.attack(&network, &data, 0.1));
    for eps in [-0.1, f64::NAN, f64::INFINITY] {
        let expected = format!("eps is {eps}; expected a finite number ≥ 0");
        assert_eq!(
            message(Pgd::default().attack(&network, &data, eps)),
            expected
        );
        assert_eq!(
            message(Fgsm::default().attack(&network, &data, eps)),
            expected
        );
        assert_eq!(
            message(Fgsm::default().curve(&network, &data, &[0.1, eps])),
            expected
        );
    }
    for alpha in [0., -0.1, f64::NAN, f64::INFINITY] {
        let expected = format!("alpha is {alpha}; expected a finite number > 0");
        assert_eq!(
            with(Pgd {
                alpha,
                ..Pgd::default()
            }),
            expected
        );
        let found = Pgd::default().curve_over_alpha(&network, &data, 0.1, &[0.1, alpha]);
        assert_eq!(message(found), expected);
    }
    assert_eq!(
        with(Pgd {
            steps: 0,
            ..Pgd::default()
        }),
        "steps is 0; expected at least 1"
    );
    assert_eq!(
        with(Pgd {
            batch_size: 0,
            ..Pgd::default()
        }),
        "batch_size is 0; expected at least 1"
    );
    let fgsm = Fgsm {
        batch_size: 0,
        ..Fgsm::default()
    };
    assert_eq!(
        message(fgsm.attack(&network, &data, 0.1)),
        "batch_size is 0; expected at least 1"
    );
    assert_eq!(
        with(Pgd {
            restarts: 0,
            ..Pgd::default()
        }),
        "restarts is 0; expected at least 1"
    );
    assert_eq!(
        with(Pgd {
            restarts: 2,
            ..Pgd::default()
        }),
        "restarts is 2; expected 1 unless random_start is true"
    );
    for (min, max) in [(1., 0.), (0.5, 0.5), (f64::NAN, 1.), (0., f64::INFINITY)] {
        let bounds = Some(Bounds { min, max });
        let expected = format!("bounds is [{min}, {max}]; expected finite min < max");
        assert_eq!(
            with(Pgd {
                bounds,
                ..Pgd::default()
            }),
            expected
        );
    }
}

#[test]
fn empty_curves() {
    let (network, data) = (network(), data());
    let expected = "radii or step sizes is none; expected at least one";
    let found = Pgd::default().curve_over_alpha(&network, &data, 0.1, &[]);
    assert_eq!(message(found), expected);
    assert_eq!(
        message(Pgd::default().curve(&network, &data, &[])),
        expected
    );
    assert_eq!(
        message(Fgsm::default().curve(&network, &data, &[])),
        expected
    );
}

#[test]
fn images() -> Result<()> {
    let with = |images: &Tensor| of_images(images, Pgd::default());
    let shape = |dims: &str| {
        format!("attack: inputs has shape {dims}; expected (N, …), N ≥ 1 and no dimension 0")
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
        "inputs is u8; expected floating-point numbers"
    );
    // A pixel on the bound is inside, one ulp beyond is not.
    let ulp = Tensor::full(1f32 + f32::EPSILON, (6, 12), &Device::Cpu)?;
    assert_eq!(
        with(&ulp),
        "inputs is between 1.0000001192092896 and 1.0000001192092896; expected pixels (for other inputs: `bounds: None`) inside the bounds [0, 1]"
    );
    assert!(
        with(&Tensor::full(-0.25f32, (6, 12), &Device::Cpu)?)
            .starts_with("inputs is between -0.25 and -0.25;")
    );
    for bounds in [None, Some(Bounds::default())] {
        for value in [f32::NAN, f32::INFINITY] {
            let mut pixels = vec![0.5f32; 72];
            pixels[17] = value;
            let images = Tensor::from_vec(pixels, (6, 12), &Device::Cpu)?;
            let found = of_images(
                &images,
                Pgd {
                    bounds,
                    ..Pgd::default()
                },
            );
            assert_eq!(found, "inputs is partly NaN or ∞; expected finite pixels");
        }
    }
    // Bounds that f32 cannot hold are those of f32: 0.1 is rounded up.
    let images = Tensor::full(0.1f32, (6, 12), &Device::Cpu)?;
    let pgd = Pgd {
        bounds: Some(Bounds { min: 0., max: 0.1 }),
        ..Pgd::default()
    };
    pgd.attack(&network(), &Dataset::new(images, data().labels)?, 0.1)?;
    // Images the network refuses: its own error, not a panic.
    let wide = Dataset::new(
        Tensor::zeros((6, 13), DType::F32, &Device::Cpu)?,
        data().labels,
    )?;
    assert!(Pgd::default().attack(&network(), &wide, 0.1).is_err());
    Ok(())
}

#[test]
fn labels() -> Result<()> {
    let (network, data) = (network(), data());
    let with = |labels: &Tensor| {
        let data = Dataset {
            labels: labels.clone(),
            ..data.clone()
        };
        message(Pgd::default().attack(&network, &data, 0.1))
    };
    let expected = |operation: &str| {
        format!("{operation}: labels has shape [5]; expected (6,), one for each input")
    };
    let short = data.labels.narrow(0, 0, 5)?;
    assert_eq!(with(&short), expected("attack"));
    assert_eq!(
        with(&data.labels.to_dtype(DType::I64)?),
        "dtype of labels is I64; expected U32"
    );
    let out_of_range = Tensor::new(&[0u32, 1, 2, 3, 4, 0], &Device::Cpu)?;
    assert_eq!(
        with(&out_of_range),
        "label is 4; expected below 4, the number of classes"
    );
    let targeted = |targets: &Tensor| {
        let pgd = Pgd {
            goal: Goal::Targeted(targets.clone()),
            ..Pgd::default()
        };
        message(pgd.attack(&network, &data, 0.1))
    };
    assert_eq!(targeted(&short), expected("attack's target"));
    assert_eq!(
        targeted(&out_of_range),
        "label is 4; expected below 4, the number of classes"
    );
    let found = Pgd::default().attack(&network, &data, 0.1)?;
    let unlabelled = Dataset {
        labels: short,
        ..found.data
    };
    assert_eq!(
        message(isopath::metrics::accuracy(&network, &unlabelled)),
        "accuracy: labels has shape [5]; expected (6,), one for each input"
    );
    Ok(())
}
