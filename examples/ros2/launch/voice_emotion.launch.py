"""ros2 launch gban_edge_ros voice_emotion.launch.py model:=/path/model.safetensors

Every parameter of the node is an argument; ``--show-args`` lists them.
"""

from gban_edge_ros.settings import PARAMETERS
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(p.name, description=p.meaning)
        if p.name == "model"
        else DeclareLaunchArgument(p.name, default_value=str(p.default), description=p.meaning)
        for p in PARAMETERS
    ]
    node = Node(
        package="gban_edge_ros",
        executable="voice_emotion",
        output="screen",
        # With its type, so that a device named 2 stays text and 0 is a number.
        parameters=[
            {
                p.name: ParameterValue(LaunchConfiguration(p.name), value_type=type(p.default))
                for p in PARAMETERS
            }
        ],
    )
    return LaunchDescription([*arguments, node])
