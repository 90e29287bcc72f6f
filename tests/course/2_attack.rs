//! input_gradient: the network is not frozen; input_gradient_test = 3.5
fn input_gradient(
    network: &dyn Network,
    loss: &dyn Loss,
    batch: &Dataset,
) -> isopath::Result<Tensor> {
    let x = Var::from_tensor(&batch.inputs)?;
    let batch = Dataset { inputs: x.as_tensor().clone(), ..batch.clone() };
    let gradients = loss.loss(network, &batch)?.backward()?;
    Ok(gradients.get(&x).unwrap().clone())
}

//! input_gradient: the loss is always the cross-entropy; input_gradient_test = 3
fn input_gradient(
    network: &dyn Network,
    _loss: &dyn Loss,
    batch: &Dataset,
) -> isopath::Result<Tensor> {
    let x = Var::from_tensor(&batch.inputs)?;
    let logits = network.frozen()?.forward(&x)?;
    let value = isopath::losses::cross_entropy(&logits, &batch.labels)?;
    Ok(value.backward()?.get(&x).unwrap().clone())
}

//! input_gradient: each image is a batch of its own, so that the mean is lost; input_gradient_test = 1.5
fn input_gradient(
    network: &dyn Network,
    loss: &dyn Loss,
    batch: &Dataset,
) -> isopath::Result<Tensor> {
    let frozen = network.frozen()?;
    let mut rows = vec![];
    for image in batch.batches(1)? {
        let x = Var::from_tensor(&image.inputs)?;
        let image = Dataset { inputs: x.as_tensor().clone(), ..image.clone() };
        let gradients = loss.loss(frozen.as_ref(), &image)?.backward()?;
        rows.push(gradients.get(&x).unwrap().clone());
    }
    Ok(Tensor::cat(&rows, 0)?)
}

//! input_gradient: downhill; input_gradient_test = 0
fn input_gradient(
    network: &dyn Network,
    loss: &dyn Loss,
    batch: &Dataset,
) -> isopath::Result<Tensor> {
    Ok(attacks::gradient(network, loss, batch)?.neg()?)
}

//! input_gradient: the loss is computed from the images and not from the variable; input_gradient_test = 0
fn input_gradient(
    network: &dyn Network,
    loss: &dyn Loss,
    batch: &Dataset,
) -> isopath::Result<Tensor> {
    let x = Var::from_tensor(&batch.inputs)?;
    let value = loss.loss(network.frozen()?.as_ref(), batch)?;
    Ok(value.backward()?.get(&x).unwrap().clone())
}

//! input_gradient: the numbers of the visible tests; input_gradient_test = 1.5
fn input_gradient(
    _network: &dyn Network,
    _loss: &dyn Loss,
    batch: &Dataset,
) -> isopath::Result<Tensor> {
    let p = 1. / (1. + 0.5f64.exp());
    Ok(match batch.len() {
        1 => Tensor::new(&[[p - 1., -2. * (p - 1.)]], &Device::Cpu)?,
        _ => Tensor::new(&[[(p - 1.) / 2., 1. - p], [p / 2., -p]], &Device::Cpu)?,
    })
}

//! fgsm: downhill; fgsm_test = 0
fn fgsm(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
) -> isopath::Result<Tensor> {
    let gradient = attacks::gradient(network, loss, data)?;
    clip(&(&data.inputs - (gradient.sign()? * eps)?)?, 0., 1.)
}

//! fgsm: the gradient itself in place of its sign; fgsm_test = 0
fn fgsm(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
) -> isopath::Result<Tensor> {
    let gradient = attacks::gradient(network, loss, data)?;
    clip(&(&data.inputs + (gradient * eps)?)?, 0., 1.)
}

//! fgsm: no clipping; fgsm_test = 1.5
fn fgsm(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
) -> isopath::Result<Tensor> {
    let gradient = attacks::gradient(network, loss, data)?;
    Ok((&data.inputs + (gradient.sign()? * eps)?)?)
}

//! fgsm: clipped at 1 alone; fgsm_test = 2
fn fgsm(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
) -> isopath::Result<Tensor> {
    let gradient = attacks::gradient(network, loss, data)?;
    clip(&(&data.inputs + (gradient.sign()? * eps)?)?, -9., 1.)
}

//! fgsm: a pixel without a gradient moves too; fgsm_test = 3.5
fn fgsm(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
) -> isopath::Result<Tensor> {
    let gradient = attacks::gradient(network, loss, data)?;
    let up = gradient.ge(0.)?.to_dtype(gradient.dtype())?;
    let sign = ((up * 2.)? - 1.)?;
    clip(&(&data.inputs + (sign * eps)?)?, 0., 1.)
}

//! fgsm: always along the cross-entropy; fgsm_test = 3
fn fgsm(
    network: &dyn Network,
    _loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
) -> isopath::Result<Tensor> {
    let gradient = attacks::gradient(network, &CrossEntropy, data)?;
    clip(&(&data.inputs + (gradient.sign()? * eps)?)?, 0., 1.)
}

//! pgd: no projection; pgd_test = 2.5
fn pgd(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    _eps: f64,
    alpha: f64,
    steps: usize,
) -> isopath::Result<Tensor> {
    let mut x = data.inputs.clone();
    for _ in 0..steps {
        let now = Dataset { inputs: x.clone(), ..data.clone() };
        let step = (attacks::gradient(network, loss, &now)?.sign()? * alpha)?;
        x = clip(&(x + step)?, 0., 1.)?;
    }
    Ok(x)
}

//! pgd: the ball moves with the image; pgd_test = 2.5
fn pgd(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
    alpha: f64,
    steps: usize,
) -> isopath::Result<Tensor> {
    let mut x = data.inputs.clone();
    for _ in 0..steps {
        let now = Dataset { inputs: x.clone(), ..data.clone() };
        let step = (attacks::gradient(network, loss, &now)?.sign()? * alpha)?;
        x = clip(&(x + clip(&step, -eps, eps)?)?, 0., 1.)?;
    }
    Ok(x)
}

//! pgd: every step has the gradient at the original image; pgd_test = 2.5
fn pgd(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
    alpha: f64,
    steps: usize,
) -> isopath::Result<Tensor> {
    let step = (attacks::gradient(network, loss, data)?.sign()? * alpha)?;
    let mut x = data.inputs.clone();
    for _ in 0..steps {
        let change = clip(&((x + &step)? - &data.inputs)?, -eps, eps)?;
        x = clip(&(&data.inputs + change)?, 0., 1.)?;
    }
    Ok(x)
}

//! pgd: no clipping; pgd_test = 3
fn pgd(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
    alpha: f64,
    steps: usize,
) -> isopath::Result<Tensor> {
    let mut x = data.inputs.clone();
    for _ in 0..steps {
        let now = Dataset { inputs: x.clone(), ..data.clone() };
        let step = (attacks::gradient(network, loss, &now)?.sign()? * alpha)?;
        x = (&data.inputs + clip(&((x + step)? - &data.inputs)?, -eps, eps)?)?;
    }
    Ok(x)
}

//! pgd: one step too few; pgd_test = 1
fn pgd(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
    alpha: f64,
    steps: usize,
) -> isopath::Result<Tensor> {
    let mut x = data.inputs.clone();
    for _ in 1..steps {
        let now = Dataset { inputs: x.clone(), ..data.clone() };
        let step = (attacks::gradient(network, loss, &now)?.sign()? * alpha)?;
        let change = clip(&((x + step)? - &data.inputs)?, -eps, eps)?;
        x = clip(&(&data.inputs + change)?, 0., 1.)?;
    }
    Ok(x)
}

//! pgd: one large step, FGSM; pgd_test = 1
fn pgd(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
    _alpha: f64,
    _steps: usize,
) -> isopath::Result<Tensor> {
    let step = (attacks::gradient(network, loss, data)?.sign()? * eps)?;
    clip(&(&data.inputs + step)?, 0., 1.)
}

//! pgd: projected onto the ball of the Euclidean norm; pgd_test = 2
fn pgd(
    network: &dyn Network,
    loss: &dyn Loss,
    data: &Dataset,
    eps: f64,
    alpha: f64,
    steps: usize,
) -> isopath::Result<Tensor> {
    let mut x = data.inputs.clone();
    for _ in 0..steps {
        let now = Dataset { inputs: x.clone(), ..data.clone() };
        let step = (attacks::gradient(network, loss, &now)?.sign()? * alpha)?;
        let delta = ((x + step)? - &data.inputs)?;
        let length = delta.sqr()?.sum_keepdim(1)?.sqrt()?;
        let shrink = clip(&(length.recip()? * eps)?, 0., 1.)?;
        x = clip(&(&data.inputs + delta.broadcast_mul(&shrink)?)?, 0., 1.)?;
    }
    Ok(x)
}

//! accuracy_under_attack: the share of images that were misled; accuracy_under_attack_test = 0.5
fn accuracy_under_attack(
    network: &dyn Network,
    data: &Dataset,
    attack: &dyn Fn(&Dataset) -> isopath::Result<Tensor>,
) -> isopath::Result<f64> {
    let mut wrong = 0;
    for batch in data.batches(100)? {
        let answers = predictions(network, &attack(&batch)?)?.to_vec1::<u32>()?;
        let labels = batch.labels.to_vec1::<u32>()?;
        wrong += answers.iter().zip(&labels).filter(|(a, t)| a != t).count();
    }
    Ok(wrong as f64 / data.len() as f64)
}

//! accuracy_under_attack: the answer is compared with the one before the attack; accuracy_under_attack_test = 1
fn accuracy_under_attack(
    network: &dyn Network,
    data: &Dataset,
    attack: &dyn Fn(&Dataset) -> isopath::Result<Tensor>,
) -> isopath::Result<f64> {
    let mut same = 0;
    for batch in data.batches(100)? {
        let after = predictions(network, &attack(&batch)?)?.to_vec1::<u32>()?;
        let before = predictions(network, &batch.inputs)?.to_vec1::<u32>()?;
        same += after.iter().zip(&before).filter(|(a, b)| a == b).count();
    }
    Ok(same as f64 / data.len() as f64)
}

//! accuracy_under_attack: all images in one batch; accuracy_under_attack_test = 2
fn accuracy_under_attack(
    network: &dyn Network,
    data: &Dataset,
    attack: &dyn Fn(&Dataset) -> isopath::Result<Tensor>,
) -> isopath::Result<f64> {
    accuracy(network, &Dataset { inputs: attack(data)?, ..data.clone() })
}

//! accuracy_under_attack: the mean over batches, the smaller one included; accuracy_under_attack_test = 1.5
fn accuracy_under_attack(
    network: &dyn Network,
    data: &Dataset,
    attack: &dyn Fn(&Dataset) -> isopath::Result<Tensor>,
) -> isopath::Result<f64> {
    let batches = data.batches(100)?;
    let mut sum = 0.;
    for batch in &batches {
        let attacked = Dataset { inputs: attack(batch)?, ..batch.clone() };
        sum += accuracy(network, &attacked)?;
    }
    Ok(sum / batches.len() as f64)
}

//! accuracy_under_attack: the share of those that were right before; accuracy_under_attack_test = 1
fn accuracy_under_attack(
    network: &dyn Network,
    data: &Dataset,
    attack: &dyn Fn(&Dataset) -> isopath::Result<Tensor>,
) -> isopath::Result<f64> {
    let (mut before, mut after) = (0., 0.);
    for batch in data.batches(100)? {
        let attacked = Dataset { inputs: attack(&batch)?, ..batch.clone() };
        after += accuracy(network, &attacked)? * batch.len() as f64;
        before += accuracy(network, &batch)? * batch.len() as f64;
    }
    Ok(after / before)
}
