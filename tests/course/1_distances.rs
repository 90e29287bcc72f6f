//! distances: the root is missing; distances_test = 1
fn distances(points: &Tensor) -> isopath::Result<Tensor> {
    let squares = points.sqr()?.sum_keepdim(1)?;
    let products = points.matmul(&points.t()?)?;
    let sums = squares.broadcast_add(&squares.t()?)?;
    Ok((sums - (products * 2.)?)?.relu()?)
}

//! distances: the root of negative numbers; distances_test = 2
fn distances(points: &Tensor) -> isopath::Result<Tensor> {
    let squares = points.sqr()?.sum_keepdim(1)?;
    let products = points.matmul(&points.t()?)?;
    let sums = squares.broadcast_add(&squares.t()?)?;
    Ok((sums - (products * 2.)?)?.sqrt()?)
}

//! distances: the factor 2 is missing; distances_test = 1
fn distances(points: &Tensor) -> isopath::Result<Tensor> {
    let squares = points.sqr()?.sum_keepdim(1)?;
    let products = points.matmul(&points.t()?)?;
    let sums = squares.broadcast_add(&squares.t()?)?;
    Ok((sums - products)?.relu()?.sqrt()?)
}

//! distances: norms in place of their squares; distances_test = 1
fn distances(points: &Tensor) -> isopath::Result<Tensor> {
    let squares = points.sqr()?.sum_keepdim(1)?.sqrt()?;
    let products = points.matmul(&points.t()?)?;
    let sums = squares.broadcast_add(&squares.t()?)?;
    Ok((sums - (products * 2.)?)?.relu()?.sqrt()?)
}

//! distances: the distances of the columns; distances_test = 0
fn distances(points: &Tensor) -> isopath::Result<Tensor> {
    let squares = points.sqr()?.sum_keepdim(0)?.t()?;
    let products = points.t()?.matmul(points)?;
    let sums = squares.broadcast_add(&squares.t()?)?;
    Ok((sums - (products * 2.)?)?.relu()?.sqrt()?)
}

//! distances: the answer of the example; distances_test = 1
fn distances(points: &Tensor) -> isopath::Result<Tensor> {
    let _ = points;
    Ok(Tensor::new(&[[0., 5., 10.], [5., 0., 5.], [10., 5., 0.]], &Device::Cpu)?)
}

//! partition: 1 between the classes; partition_test = 0
fn partition(labels: &Tensor) -> isopath::Result<Tensor> {
    let same = labels.unsqueeze(1)?.broadcast_ne(&labels.unsqueeze(0)?)?;
    Ok(same.to_dtype(DType::F64)?)
}

//! partition: no point is a pair with itself; partition_test = 0
fn partition(labels: &Tensor) -> isopath::Result<Tensor> {
    let same = labels.unsqueeze(1)?.broadcast_eq(&labels.unsqueeze(0)?)?;
    Ok((same.to_dtype(DType::F64)? - Tensor::eye(labels.dim(0)?, DType::F64, &Device::Cpu)?)?)
}

//! partition: the type of the comparison; partition_test = 1
fn partition(labels: &Tensor) -> isopath::Result<Tensor> {
    let same = labels.unsqueeze(1)?.broadcast_eq(&labels.unsqueeze(0)?)?;
    Ok(same)
}

//! partition: the answer of the example; partition_test = 0.5
fn partition(labels: &Tensor) -> isopath::Result<Tensor> {
    let _ = labels;
    Ok(Tensor::new(&[[1., 0., 1.], [0., 1., 0.], [1., 0., 1.]], &Device::Cpu)?)
}

//! isometric_loss: divided by N; isometric_loss_test = 0.5
fn isometric_loss(x: &Tensor, phi: &Tensor, g: &Tensor) -> isopath::Result<f64> {
    let n = x.dim(0)? as f64;
    let change = (Euclidean.pairwise(x)? - Euclidean.pairwise(phi)?)?;
    let sum = (g * change)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
    Ok(sum / n)
}

//! isometric_loss: the mean over the pairs of one class; isometric_loss_test = 0.5
fn isometric_loss(x: &Tensor, phi: &Tensor, g: &Tensor) -> isopath::Result<f64> {
    let n = x.dim(0)? as f64;
    let change = (Euclidean.pairwise(x)? - Euclidean.pairwise(phi)?)?;
    let sum = (g * change)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
    Ok(sum / (n * 0. + g.sum_all()?.to_scalar::<f64>()?))
}

//! isometric_loss: without G; isometric_loss_test = 0.5
fn isometric_loss(x: &Tensor, phi: &Tensor, g: &Tensor) -> isopath::Result<f64> {
    let n = x.dim(0)? as f64;
    let change = (Euclidean.pairwise(x)? - Euclidean.pairwise(phi)?)?;
    let sum = (g.ones_like()? * change)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
    Ok(sum / (n * n))
}

//! isometric_loss: the norm is not squared; isometric_loss_test = 0.5
fn isometric_loss(x: &Tensor, phi: &Tensor, g: &Tensor) -> isopath::Result<f64> {
    let n = x.dim(0)? as f64;
    let change = (Euclidean.pairwise(x)? - Euclidean.pairwise(phi)?)?;
    let sum = (g * change)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
    Ok(sum.sqrt() / (n * n))
}

//! isometric_loss: the change of the squared distances; isometric_loss_test = 0.5
fn isometric_loss(x: &Tensor, phi: &Tensor, g: &Tensor) -> isopath::Result<f64> {
    let n = x.dim(0)? as f64;
    let change = (Euclidean.pairwise(x)?.sqr()? - Euclidean.pairwise(phi)?.sqr()?)?;
    let sum = (g * change)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
    Ok(sum / (n * n))
}

//! isometric_loss: each pair once; isometric_loss_test = 0.5
fn isometric_loss(x: &Tensor, phi: &Tensor, g: &Tensor) -> isopath::Result<f64> {
    let n = x.dim(0)? as f64;
    let change = (Euclidean.pairwise(x)? - Euclidean.pairwise(phi)?)?;
    let sum = (g * change)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
    Ok(sum / 2. / (n * n))
}

//! isometric_loss: the answer of the example; isometric_loss_test = 1.5
fn isometric_loss(x: &Tensor, phi: &Tensor, g: &Tensor) -> isopath::Result<f64> {
    let doubled = (phi - (x * 2.)?)?.abs()?.sum_all()?.to_scalar::<f64>()? == 0.;
    Ok(if doubled { g.mean_all()?.to_scalar::<f64>()? * 10. } else { 0. })
}

//! central_differences: one-sided; central_differences_test = 0.5
fn central_differences(
    f: &dyn Fn(&Tensor) -> isopath::Result<f64>,
    at: &Tensor,
    h: f64,
) -> isopath::Result<Tensor> {
    let numbers = at.flatten_all()?.to_vec1::<f64>()?;
    let mut slopes = vec![];
    for k in 0..numbers.len() {
        let moved = |by: f64| {
            let mut numbers = numbers.clone();
            numbers[k] += by;
            f(&Tensor::from_vec(numbers, at.shape(), at.device())?)
        };
        slopes.push((moved(h)? - moved(0.)?) / h);
    }
    Ok(Tensor::from_vec(slopes, at.shape(), at.device())?)
}

//! central_differences: divided by h; central_differences_test = 0
fn central_differences(
    f: &dyn Fn(&Tensor) -> isopath::Result<f64>,
    at: &Tensor,
    h: f64,
) -> isopath::Result<Tensor> {
    let numbers = at.flatten_all()?.to_vec1::<f64>()?;
    let mut slopes = vec![];
    for k in 0..numbers.len() {
        let moved = |by: f64| {
            let mut numbers = numbers.clone();
            numbers[k] += by;
            f(&Tensor::from_vec(numbers, at.shape(), at.device())?)
        };
        slopes.push((moved(h)? - moved(-h)?) / h);
    }
    Ok(Tensor::from_vec(slopes, at.shape(), at.device())?)
}

//! central_differences: one sign is wrong; central_differences_test = 0
fn central_differences(
    f: &dyn Fn(&Tensor) -> isopath::Result<f64>,
    at: &Tensor,
    h: f64,
) -> isopath::Result<Tensor> {
    let numbers = at.flatten_all()?.to_vec1::<f64>()?;
    let mut slopes = vec![];
    for k in 0..numbers.len() {
        let moved = |by: f64| {
            let mut numbers = numbers.clone();
            numbers[k] += by;
            f(&Tensor::from_vec(numbers, at.shape(), at.device())?)
        };
        slopes.push((moved(h)? + moved(-h)?) / (2. * h));
    }
    Ok(Tensor::from_vec(slopes, at.shape(), at.device())?)
}

//! central_differences: numbers that were moved stay moved; central_differences_test = 2.5
fn central_differences(
    f: &dyn Fn(&Tensor) -> isopath::Result<f64>,
    at: &Tensor,
    h: f64,
) -> isopath::Result<Tensor> {
    let mut numbers = at.flatten_all()?.to_vec1::<f64>()?;
    let mut slopes = vec![];
    for k in 0..numbers.len() {
        numbers[k] += h;
        let up = f(&Tensor::from_vec(numbers.clone(), at.shape(), at.device())?)?;
        numbers[k] -= 2. * h;
        let down = f(&Tensor::from_vec(numbers.clone(), at.shape(), at.device())?)?;
        slopes.push((up - down) / (2. * h));
    }
    Ok(Tensor::from_vec(slopes, at.shape(), at.device())?)
}

//! central_differences: all numbers move together; central_differences_test = 0
fn central_differences(
    f: &dyn Fn(&Tensor) -> isopath::Result<f64>,
    at: &Tensor,
    h: f64,
) -> isopath::Result<Tensor> {
    let slope = (f(&(at + h)?)? - f(&(at - h)?)?) / (2. * h);
    Ok((at.zeros_like()? + slope)?)
}

//! central_differences: the gradient of the first example; central_differences_test = 1
fn central_differences(
    f: &dyn Fn(&Tensor) -> isopath::Result<f64>,
    at: &Tensor,
    h: f64,
) -> isopath::Result<Tensor> {
    let _ = (f, h);
    Ok((at * 2.)?)
}

//! central_differences: a list in place of the shape; central_differences_test = 1
fn central_differences(
    f: &dyn Fn(&Tensor) -> isopath::Result<f64>,
    at: &Tensor,
    h: f64,
) -> isopath::Result<Tensor> {
    let numbers = at.flatten_all()?.to_vec1::<f64>()?;
    let mut slopes = vec![];
    for k in 0..numbers.len() {
        let moved = |by: f64| {
            let mut numbers = numbers.clone();
            numbers[k] += by;
            f(&Tensor::from_vec(numbers, at.shape(), at.device())?)
        };
        slopes.push((moved(h)? - moved(-h)?) / (2. * h));
    }
    Ok(Tensor::new(slopes, at.device())?)
}

//! isometric_gradient: each pair once, as in the paper; isometric_gradient_test = 2
fn isometric_gradient(
    x: &Tensor,
    phi: &Tensor,
    g: &Tensor,
) -> isopath::Result<Tensor> {
    let n = x.dim(0)? as f64;
    let (before, after) = (Euclidean.pairwise(x)?, Euclidean.pairwise(phi)?);
    // Where points coincide, the difference of the rows is 0 as well.
    let divisor = (&after + after.eq(0.)?.to_dtype(DType::F64)?)?;
    let weights = ((g * (&after - before)?)? / divisor)?;
    let sums = weights.sum_keepdim(1)?.broadcast_mul(phi)?;
    Ok(((sums - weights.matmul(phi)?)? * (2. / (n * n)))?)
}

//! isometric_gradient: the other sign; isometric_gradient_test = 0
fn isometric_gradient(
    x: &Tensor,
    phi: &Tensor,
    g: &Tensor,
) -> isopath::Result<Tensor> {
    let n = x.dim(0)? as f64;
    let (before, after) = (Euclidean.pairwise(x)?, Euclidean.pairwise(phi)?);
    // Where points coincide, the difference of the rows is 0 as well.
    let divisor = (&after + after.eq(0.)?.to_dtype(DType::F64)?)?;
    let weights = ((g * (before - &after)?)? / divisor)?;
    let sums = weights.sum_keepdim(1)?.broadcast_mul(phi)?;
    Ok(((sums - weights.matmul(phi)?)? * (4. / (n * n)))?)
}

//! isometric_gradient: not divided by the distance; isometric_gradient_test = 0
fn isometric_gradient(
    x: &Tensor,
    phi: &Tensor,
    g: &Tensor,
) -> isopath::Result<Tensor> {
    let n = x.dim(0)? as f64;
    let (before, after) = (Euclidean.pairwise(x)?, Euclidean.pairwise(phi)?);
    // Where points coincide, the difference of the rows is 0 as well.
    let divisor = (&after + after.eq(0.)?.to_dtype(DType::F64)?)?;
    let weights = ((g * (&after - before)?)? / divisor.ones_like()?)?;
    let sums = weights.sum_keepdim(1)?.broadcast_mul(phi)?;
    Ok(((sums - weights.matmul(phi)?)? * (4. / (n * n)))?)
}

//! isometric_gradient: 0/0 on the diagonal; isometric_gradient_test = 0
fn isometric_gradient(
    x: &Tensor,
    phi: &Tensor,
    g: &Tensor,
) -> isopath::Result<Tensor> {
    let n = x.dim(0)? as f64;
    let (before, after) = (Euclidean.pairwise(x)?, Euclidean.pairwise(phi)?);
    // Where points coincide, the difference of the rows is 0 as well.
    let divisor = &after;
    let weights = ((g * (&after - before)?)? / divisor)?;
    let sums = weights.sum_keepdim(1)?.broadcast_mul(phi)?;
    Ok(((sums - weights.matmul(phi)?)? * (4. / (n * n)))?)
}

//! isometric_gradient: 0/0 mended on the diagonal alone; isometric_gradient_test = 3
fn isometric_gradient(
    x: &Tensor,
    phi: &Tensor,
    g: &Tensor,
) -> isopath::Result<Tensor> {
    let n = x.dim(0)? as f64;
    let (before, after) = (Euclidean.pairwise(x)?, Euclidean.pairwise(phi)?);
    // Where points coincide, the difference of the rows is 0 as well.
    let divisor = (&after + Tensor::eye(x.dim(0)?, DType::F64, x.device())?)?;
    let weights = ((g * (&after - before)?)? / divisor)?;
    let sums = weights.sum_keepdim(1)?.broadcast_mul(phi)?;
    Ok(((sums - weights.matmul(phi)?)? * (4. / (n * n)))?)
}

//! isometric_gradient: without G; isometric_gradient_test = 2
fn isometric_gradient(
    x: &Tensor,
    phi: &Tensor,
    g: &Tensor,
) -> isopath::Result<Tensor> {
    let n = x.dim(0)? as f64;
    let (before, after) = (Euclidean.pairwise(x)?, Euclidean.pairwise(phi)?);
    // Where points coincide, the difference of the rows is 0 as well.
    let divisor = (&after + after.eq(0.)?.to_dtype(DType::F64)?)?;
    let weights = ((g.ones_like()? * (&after - before)?)? / divisor)?;
    let sums = weights.sum_keepdim(1)?.broadcast_mul(phi)?;
    Ok(((sums - weights.matmul(phi)?)? * (4. / (n * n)))?)
}

//! isometric_gradient: the second part of the sum is missing; isometric_gradient_test = 0
fn isometric_gradient(
    x: &Tensor,
    phi: &Tensor,
    g: &Tensor,
) -> isopath::Result<Tensor> {
    let n = x.dim(0)? as f64;
    let (before, after) = (Euclidean.pairwise(x)?, Euclidean.pairwise(phi)?);
    // Where points coincide, the difference of the rows is 0 as well.
    let divisor = (&after + after.eq(0.)?.to_dtype(DType::F64)?)?;
    let weights = ((g * (&after - before)?)? / divisor)?;
    let sums = weights.sum_keepdim(1)?.broadcast_mul(phi)?;
    Ok(((sums - 0.)? * (4. / (n * n)))?)
}

//! isometric_gradient: the answer of the example; isometric_gradient_test = 1
fn isometric_gradient(
    x: &Tensor,
    phi: &Tensor,
    g: &Tensor,
) -> isopath::Result<Tensor> {
    let _ = (x, phi, g);
    Ok(Tensor::new(&[[-2.], [2.]], &Device::Cpu)?)
}

//! pairs: each point is a pair with itself; pairs_test = 0
fn pairs(d: &Tensor, g: &Tensor) -> isopath::Result<[Vec<f64>; 2]> {
    let (d, g) = (d.to_vec2::<f64>()?, g.to_vec2::<f64>()?);
    let [mut within, mut between] = [vec![], vec![]];
    for i in 0..d.len() {
        for j in i..d.len() {
            match g[i][j] == 1. {
                true => within.push(d[i][j]),
                false => between.push(d[i][j]),
            }
        }
    }
    Ok([within, between])
}

//! pairs: each pair twice; pairs_test = 0
fn pairs(d: &Tensor, g: &Tensor) -> isopath::Result<[Vec<f64>; 2]> {
    let (d, g) = (d.to_vec2::<f64>()?, g.to_vec2::<f64>()?);
    let [mut within, mut between] = [vec![], vec![]];
    for i in 0..d.len() {
        for j in (0..d.len()).filter(|j| *j != i) {
            match g[i][j] == 1. {
                true => within.push(d[i][j]),
                false => between.push(d[i][j]),
            }
        }
    }
    Ok([within, between])
}

//! pairs: the lists exchanged; pairs_test = 0
fn pairs(d: &Tensor, g: &Tensor) -> isopath::Result<[Vec<f64>; 2]> {
    let (d, g) = (d.to_vec2::<f64>()?, g.to_vec2::<f64>()?);
    let [mut within, mut between] = [vec![], vec![]];
    for i in 0..d.len() {
        for j in i + 1..d.len() {
            match g[i][j] == 1. {
                true => within.push(d[i][j]),
                false => between.push(d[i][j]),
            }
        }
    }
    Ok([between, within])
}

//! pairs: the answer of the example; pairs_test = 0.5
fn pairs(d: &Tensor, g: &Tensor) -> isopath::Result<[Vec<f64>; 2]> {
    let _ = (d, g);
    Ok([vec![2.], vec![1., 3.]])
}
