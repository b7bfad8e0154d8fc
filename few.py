import json,os
D='/work/shared/data/ptbxl/records100/00000/'
names=['00001_lr','00002_lr','00003_lr','00008_lr','00010_lr','00012_lr']
ok=[{"ecg":D+n+'.hea',"question":"Which colour?","answer":["red","blue"][k%2]} for k,n in enumerate(names)]
def w(p,rows):
    open('few/'+p,'w').write('\n'.join(r if isinstance(r,str) else json.dumps(r) for r in rows)+'\n')
os.makedirs('few',exist_ok=True)
w('ok.jsonl',ok); w('missing.jsonl',ok[:4]+[{"ecg":"nothere.hea","question":"q","answer":"a"}])
w('empty_answer.jsonl',ok[:5]+[{"ecg":D+'00001_lr.hea',"question":"q","answer":""}])
w('none_answer.jsonl',ok[:5]+[{"ecg":D+'00001_lr.hea',"question":"q","answer":None}])
w('list.jsonl',ok[:5]+['[1,2]'])
w('two.jsonl',ok[:5]+[{"ecg":[D+'00001_lr.hea',D+'00002_lr.hea'],"question":"Is the second the same?","answer":["yes","no"]}])
w('noecg.jsonl',ok[:5]+[{"ecg":[],"question":"q","answer":"a"}])
w('page.jsonl',ok[:5]+[{"ecg":"/work/shared/data/ecg_photos/"+sorted(os.listdir('/work/shared/data/ecg_photos'))[0],"question":"q","answer":"a"}])
w('slot.jsonl',ok[:5]+[{"ecg":D+'00001_lr.hea',"question":"<ecg> <|end|> q","answer":"<|end|> <ecg> x"}])
w('long.jsonl',ok[:5]+[{"ecg":D+'00001_lr.hea',"question":"q","answer":"word "*4000}])
w('num.jsonl',ok[:5]+[{"ecg":5,"question":"q","answer":"a"}])
open('few/bin.jsonl','wb').write(b'\xff\xfe\x00')
