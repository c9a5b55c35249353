//! A container's part of the disks, as the runtime specification writes it.

use serde_json::{Value, json};

use crate::container::{BlockIoSpec, BlockOperation};

/// The `blockIO` object; `None`: nothing is asked for.
pub(super) fn resources(spec: &BlockIoSpec) -> Option<Value> {
    if *spec == BlockIoSpec::default() {
        return None;
    }
    let mut value = json!({});
    if let Some(weight) = spec.weight {
        value["weight"] = weight.into();
    }
    for (operation, name) in [
        (BlockOperation::ReadBytes, "throttleReadBpsDevice"),
        (BlockOperation::WriteBytes, "throttleWriteBpsDevice"),
        (BlockOperation::Reads, "throttleReadIOPSDevice"),
        (BlockOperation::Writes, "throttleWriteIOPSDevice"),
    ] {
        let rates = spec.rates.iter().filter(|rate| rate.operation == operation);
        let rates: Vec<Value> = rates
            .map(|rate| {
                let (major, minor) = rate.device;
                json!({ "major": major, "minor": minor, "rate": rate.rate })
            })
            .collect();
        if !rates.is_empty() {
            value[name] = rates.into();
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::BlockRateSpec;

    #[test]
    fn limits_stand_under_their_operation() {
        assert_eq!(resources(&BlockIoSpec::default()), None);
        let spec = BlockIoSpec {
            weight: Some(300),
            rates: vec![BlockRateSpec {
                operation: BlockOperation::Writes,
                device: (8, 0),
                rate: 5,
            }],
        };
        let expected = json!({
            "weight": 300,
            "throttleWriteIOPSDevice": [{ "major": 8, "minor": 0, "rate": 5 }],
        });
        assert_eq!(resources(&spec), Some(expected));
    }
}
