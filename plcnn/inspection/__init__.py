"""What is wrong with pictures before anything is trained on them: `plcnn check`, and what `fit` looks at by itself."""
