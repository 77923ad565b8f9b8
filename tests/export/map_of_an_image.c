/* Run an exported SavedModel with the C API of TensorFlow alone: images of floats in, the raw map out.
 *
 *     map_of_an_image FOLDER INPUT OUTPUT HEIGHT WIDTH < pixels > map
 *
 * FOLDER holds the SavedModel; INPUT and OUTPUT are ops. Standard input has HEIGHT x WIDTH x 3 floats of one image,
 * standard output gets the floats of the output. The wheel of TensorFlow 1.15 has no c_api.h, so what is used of it is
 * declared here.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct TF_Status TF_Status;
typedef struct TF_Graph TF_Graph;
typedef struct TF_Session TF_Session;
typedef struct TF_SessionOptions TF_SessionOptions;
typedef struct TF_Operation TF_Operation;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_Buffer TF_Buffer;
typedef struct { TF_Operation *oper; int index; } TF_Output;
enum { TF_FLOAT = 1 };

TF_Status *TF_NewStatus(void);
int TF_GetCode(const TF_Status *);
const char *TF_Message(const TF_Status *);
TF_Graph *TF_NewGraph(void);
TF_SessionOptions *TF_NewSessionOptions(void);
TF_Session *TF_LoadSessionFromSavedModel(const TF_SessionOptions *, const TF_Buffer *, const char *,
                                         const char *const *, int, TF_Graph *, TF_Buffer *, TF_Status *);
TF_Operation *TF_GraphOperationByName(TF_Graph *, const char *);
TF_Tensor *TF_AllocateTensor(int, const int64_t *, int, size_t);
void *TF_TensorData(const TF_Tensor *);
size_t TF_TensorByteSize(const TF_Tensor *);
void TF_SessionRun(TF_Session *, const TF_Buffer *, const TF_Output *, TF_Tensor *const *, int, const TF_Output *,
                   TF_Tensor **, int, const TF_Operation *const *, int, TF_Buffer *, TF_Status *);

static TF_Status *status;

static void check(const char *what) {
    if (TF_GetCode(status) != 0) {
        fprintf(stderr, "%s: %s\n", what, TF_Message(status));
        exit(1);
    }
}

static TF_Output output_of(TF_Graph *graph, const char *name) {
    TF_Output found = {TF_GraphOperationByName(graph, name), 0};
    if (found.oper == NULL) {
        fprintf(stderr, "no op %s\n", name);
        exit(1);
    }
    return found;
}

int main(int count, char **words) {
    if (count != 6) return 2;
    const char *const tags[] = {"serve"};
    TF_Graph *graph = TF_NewGraph();
    status = TF_NewStatus();
    TF_Session *session =
        TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, words[1], tags, 1, graph, NULL, status);
    check("load");
    const int64_t sides[] = {1, atoi(words[4]), atoi(words[5]), 3};
    const size_t bytes = sizeof(float) * sides[1] * sides[2] * sides[3];
    TF_Tensor *pixels = TF_AllocateTensor(TF_FLOAT, sides, 4, bytes), *map = NULL;
    if (fread(TF_TensorData(pixels), 1, bytes, stdin) != bytes) return 3;
    const TF_Output images = output_of(graph, words[2]), cam = output_of(graph, words[3]);
    TF_SessionRun(session, NULL, &images, &pixels, 1, &cam, &map, 1, NULL, 0, NULL, status);
    check("run");
    fwrite(TF_TensorData(map), 1, TF_TensorByteSize(map), stdout);
    return 0;
}
