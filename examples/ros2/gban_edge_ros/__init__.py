"""A ROS 2 node that says which emotion it hears; what it does is in voice_emotion.py."""
