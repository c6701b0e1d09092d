"""Prints what TensorBoard's own reader finds in a folder of event files, as JSON.

    python read_tensorboard.py FOLDER

{"scalars": {tag: [[step, value], ...]}, "texts": {tag: [[step, text], ...]}, "settings": {name: value},
"ended": status of the last session or null}
"""

import json
import sys

from tensorboard.backend.event_processing import plugin_event_accumulator as accumulator
from tensorboard.plugins.hparams import metadata, plugin_data_pb2
from tensorboard.util import tensor_util

EVERYTHING = {accumulator.TENSORS: 0}


def value_of(setting):
    return getattr(setting, setting.WhichOneof("kind"))


def main() -> int:
    events = accumulator.EventAccumulator(sys.argv[1], size_guidance=EVERYTHING, tensor_size_guidance={"scalars": 0, "text": 0})
    events.Reload()
    found = {"scalars": {}, "texts": {}, "settings": {}, "ended": None}
    for tag in events.Tags()[accumulator.TENSORS]:
        plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
        values = [(event.step, tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
        if plugin == "scalars":
            found["scalars"][tag] = [[step, repr(float(value))] for step, value in values]
        elif plugin == "text":
            found["texts"][tag] = [[step, value.reshape(-1)[0].decode()] for step, value in values]
    hyper = events.PluginTagToContent(metadata.PLUGIN_NAME)
    start = metadata.parse_session_start_info_plugin_data(hyper[metadata.SESSION_START_INFO_TAG])
    found["settings"] = {name: value_of(setting) for name, setting in start.hparams.items()}
    columns = metadata.parse_experiment_plugin_data(hyper[metadata.EXPERIMENT_TAG])
    assert {info.name for info in columns.hparam_infos} == set(found["settings"])
    if metadata.SESSION_END_INFO_TAG in hyper:
        found["ended"] = metadata.parse_session_end_info_plugin_data(hyper[metadata.SESSION_END_INFO_TAG]).status
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
