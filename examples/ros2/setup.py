from setuptools import setup

NAME = "gban_edge_ros"

setup(
    name=NAME,
    version="0.1.0",
    packages=[NAME],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", ["launch/voice_emotion.launch.py"]),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="gban-edge",
    maintainer_email="gban-edge@example.invalid",
    description="The emotion in what a person says to a robot, from sound and words, on the robot",
    license="Apache-2.0",
    entry_points={"console_scripts": [f"voice_emotion = {NAME}.node:main"]},
)
