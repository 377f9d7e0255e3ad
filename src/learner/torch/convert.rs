//! Between the cast's vectors and tensors.

use phalanx_robust::{Dtype, Vector};
use tch::{Device, Kind, TchError, Tensor};

/// libtorch's name of a number format.
pub(super) fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
    }
}

/// The vector as a tensor of that kind and place.
pub(super) fn tensor(vector: &Vector, kind: Kind, device: Device) -> Result<Tensor, TchError> {
    let tensor = match vector {
        Vector::F32(values) => Tensor::f_from_slice(values)?,
        Vector::F64(values) => Tensor::f_from_slice(values)?,
        Vector::Torch(shared) => shared.tensor().shallow_clone(),
    };
    Ok(tensor.to_device(device).to_kind(kind))
}

/// The values as a vector: on the host for the CPU, else where they are meant to live.
pub(super) fn vector(values: Vec<f64>, dtype: Dtype, device: Device) -> Result<Vector, TchError> {
    let vector = match dtype {
        Dtype::F32 => values.iter().map(|&v| v as f32).collect::<Vec<f32>>().into(),
        Dtype::F64 => Vector::from(values),
    };
    if device == Device::Cpu { Ok(vector) } else { Ok(tensor(&vector, kind(dtype), device)?.into()) }
}

/// A tensor's values on the host.
pub(super) fn values(tensor: &Tensor) -> Vec<f64> {
    let host = tensor.to_device(Device::Cpu).to_kind(Kind::Double);
    let mut values = vec![0.0; host.numel()];
    host.copy_data(&mut values, host.numel());
    values
}

/// The workers' gradients as vectors of length `dim`, each scaled down to the norm `clip` if it is longer.
/// `gradients` are `[g, n]`, one for every parameter.
pub(super) fn rows(gradients: &[Tensor], dim: usize, clip: Option<f64>) -> Result<Vec<Vector>, TchError> {
    let Some(first) = gradients.first() else { return Ok(Vec::new()) };
    let groups = first.size2()?.0;
    if first.device() != Device::Cpu {
        return device_rows(gradients, clip);
    }
    let parts: Vec<Tensor> = gradients.iter().map(Tensor::f_contiguous).collect::<Result<_, _>>()?;
    (0..groups)
        .map(|row| {
            let vector = match first.kind() {
                Kind::Double => host_row::<f64>(&parts, row, dim)?.into(),
                _ => host_row::<f32>(&parts, row, dim)?.into(),
            };
            Ok(clipped(vector, clip))
        })
        .collect()
}

fn host_row<T: tch::kind::Element + Default + Copy>(
    parts: &[Tensor],
    row: i64,
    dim: usize,
) -> Result<Vec<T>, TchError> {
    let mut values = vec![T::default(); dim];
    let mut rest = values.as_mut_slice();
    for part in parts {
        let part = part.f_get(row)?;
        let (here, after) = rest.split_at_mut(part.numel());
        part.f_copy_data(here, here.len())?;
        rest = after;
    }
    Ok(values)
}

pub(super) fn clipped(mut vector: Vector, clip: Option<f64>) -> Vector {
    if let Some(clip) = clip {
        let norm = vector.norm();
        if norm > clip {
            vector.scale(clip / norm);
        }
    }
    vector
}

fn device_rows(gradients: &[Tensor], clip: Option<f64>) -> Result<Vec<Vector>, TchError> {
    let mut all = Tensor::f_cat(gradients, 1)?;
    if let Some(clip) = clip {
        // In f64, as on the host: squares of what f32 can hold are more than it can.
        let norms = all.f_norm_scalaropt_dim_dtype(2, [1i64].as_slice(), true, Kind::Double)?;
        let factors = norms.f_reciprocal()?.f_mul_scalar(clip)?.f_clamp_max(1.0)?;
        all = all.f_mul(&factors.f_to_kind(all.kind())?)?;
    }
    Ok(all.f_unbind(0)?.into_iter().map(Vector::from).collect())
}
